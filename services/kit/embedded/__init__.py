"""PostgreSQL 18 and NATS JetStream started from wheels: the same engines as in a cluster, on a laptop and in tests."""

from services.kit.embedded.nats import EmbeddedNats
from services.kit.embedded.ports import EmbeddedError, free_port
from services.kit.embedded.postgres import EmbeddedPostgres
from services.kit.embedded.provision import provision, role_of

__all__ = ["EmbeddedError", "EmbeddedNats", "EmbeddedPostgres", "free_port", "provision", "role_of"]
