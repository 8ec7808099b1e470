"""The local stack: embedded PostgreSQL and NATS, every service, demonstration data; `kefu up` and what goes with it."""
