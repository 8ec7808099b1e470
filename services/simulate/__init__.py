"""Drives Kefu from outside, through its public API only: replays of recorded call logs, and small live traffic."""
