"""Reading quality."""
