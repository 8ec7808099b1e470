"""SQL of intake's core: what it locks and loads, and what it writes. Nothing is decided here."""
