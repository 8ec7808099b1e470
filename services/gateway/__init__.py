"""The gateway: sign-in, REST transcoded from the contracts, SSE, OpenAPI, outgoing webhooks, and the console."""
