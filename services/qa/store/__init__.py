"""SQL and objects of quality."""
