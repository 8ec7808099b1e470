"""Commands of planners: forecast, required staff."""
