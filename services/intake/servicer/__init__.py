"""The RPC edge of intake: convert, call, convert."""
