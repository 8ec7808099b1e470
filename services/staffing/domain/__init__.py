"""Values and rules of staffing: pure, no I/O."""
