"""Pure values and rules of quality."""
