"""Benchmarks: figures, not tests. Each prints a table and writes `.kefu/bench/NAME.json`."""
