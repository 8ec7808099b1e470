"""Rosters: who works when, found by column generation, with a bound that the checker proves again by itself."""
