"""The RPC edge of staffing."""
