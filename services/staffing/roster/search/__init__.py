"""The search: column generation for the bound, diving and neighbourhoods for the roster."""
