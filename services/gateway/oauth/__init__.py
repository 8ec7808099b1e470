"""Service accounts, client credentials, channel tokens, and CORS for other frontends."""
