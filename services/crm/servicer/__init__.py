"""The RPC edge of crm: convert, call, convert."""
