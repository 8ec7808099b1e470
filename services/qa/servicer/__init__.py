"""The RPC edge of quality."""
