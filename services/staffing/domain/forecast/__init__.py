"""Forecasts of contacts and handling times, 15 minutes at a time: pure values and numbers."""
