"""Rosters by quarter hours with activities: the rules of the Curtois & Qu multi-activity benchmarks."""
