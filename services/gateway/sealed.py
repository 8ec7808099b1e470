"""Where the gateway keeps sealed values."""

from services.gateway.webhooks.servicer import PURPOSE
from services.kit.sealed import Sealed

SEALED = (
    Sealed("webhooks", "secret_sealed", f"'{PURPOSE}'", "id"),
    Sealed("webhooks", "old_secret_sealed", f"'{PURPOSE}'", "id"),
)
