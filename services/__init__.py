"""Kefu: customer service run by written rules. See docs/architecture.md."""
