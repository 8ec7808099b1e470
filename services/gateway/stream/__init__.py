"""Server-Sent Events: every streaming RPC under its own path, one upstream subscription per site for all who listen."""
