"""Drills: what an operator must be able to do, done for real and timed."""
