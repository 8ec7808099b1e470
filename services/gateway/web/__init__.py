"""The Flask side: sessions on requests, CSRF, headers, errors, and the routes that are no RPC."""
