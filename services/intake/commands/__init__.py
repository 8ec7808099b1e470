"""Use cases of the core: commands in groups, the routing pass, timers, and what other services tell."""
