"""The console: pages for people at work and the chat page for customers, rendered on the server, alive by htmx and SSE."""
