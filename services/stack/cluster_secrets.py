"""A first set of the Kubernetes Secrets that the chart names: fresh keys and passwords, printed once, kept by you."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.kit.crypto import Keys
from services.kit.embedded.provision import role_of
from services.kit.keys import new_key_pair

# The type that CloudNativePG wants of a role's password.
_ACCOUNT = "kubernetes.io/basic-auth"


def first_set(services: Sequence[str], *, namespace: str, postgres: str, nats: str, kid: str) -> list[dict[str, Any]]:
    """Secrets under the names of charts/kefu/values.yaml; `postgres` and `nats` are host:port, `kid` names the keys."""

    def secret(name: str, kind: str = "Opaque", **texts: str) -> dict[str, Any]:
        named = {"name": f"kefu-{name}", "namespace": namespace}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": named, "type": kind, "stringData": texts}

    made = [secret("postgresql", _ACCOUNT, username="postgres", password=_password())]
    for service in services:
        role, password = role_of(service), _password()
        url = f"postgresql://{role}:{password}@{postgres}/kefu"
        made.append(secret(f"{service}-database", _ACCOUNT, username=role, password=password, url=url))
    password = _password()
    made.append(secret("nats", username="kefu", password=password, url=f"nats://kefu:{password}@{nats}"))
    made.append(secret("gateway", secret=_password()))
    return made + [secret(name, **texts) for name, texts in _keys(kid).items()]


def _password() -> str:
    """256 bits, in characters that need no escape in a URL or in SQL."""
    return secrets.token_hex(32)


def _keys(kid: str) -> dict[str, Mapping[str, str]]:
    """Signing keys, their public halves, and the keys that seal personal data, as the services read them."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        private = new_key_pair(folder, kid)
        public = folder / "public" / f"{kid}.pem"
        sealing = folder / "sealing.json"
        Keys.create(sealing, kid)
        files = {"signing-keys": private, "public-keys": public, "sealing-keys": sealing}
        return {name: {file.name: file.read_text(encoding="utf-8")} for name, file in files.items()}
