"""The console: pages for people at work and the customers' chat page, rendered on the server, alive by SSE."""
