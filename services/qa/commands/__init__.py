"""Use cases of quality: each in one transaction."""
