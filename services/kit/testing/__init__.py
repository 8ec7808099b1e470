"""What tests of every service share: real PostgreSQL, real NATS, real in-process servers."""
