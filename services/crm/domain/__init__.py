"""Values and rules of crm: pure, no I/O."""
