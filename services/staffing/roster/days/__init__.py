"""Rosters of one shift a day: the rules of the Curtois & Qu shift scheduling benchmarks."""
