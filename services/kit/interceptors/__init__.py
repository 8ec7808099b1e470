"""The one chain that every RPC passes, fused into a single handler per method when the server is built."""
