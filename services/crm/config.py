"""Settings of crm, read from `KEFU_*` variables (services/kit/config.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.kit.client.settings import CallsConfig
from services.kit.config import absent_services, setting
from services.kit.outbound.senders import OutboundConfig
from services.kit.server import ServerConfig

_SERVICES: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class CrmConfig:
    """What `serve crm` and `work crm` need."""

    database: str = setting("KEFU_DATABASE_URL", help="PostgreSQL URL of crm's role", secret=True)
    nats: str = setting("KEFU_NATS_URL", help="NATS URL", secret=True)
    public_keys: Path = setting("KEFU_PUBLIC_KEYS", help="Folder of <kid>.pem, or JWKS file: who may sign tokens")
    profiles: Path = setting("KEFU_PROFILES", help="Folder of the site profiles")
    sealing_keys: Path = setting("KEFU_SEALING_KEYS", help="File of the keys that seal personal data")
    access: Path = setting(
        "KEFU_ACCESS_FILE", _SERVICES / "policy" / "access.yaml", help="Which role has which permissions"
    )
    connections: int = setting("KEFU_DATABASE_CONNECTIONS", 6, at_least=1, help="Size of the pool")
    unmask_seconds: int = setting(
        "KEFU_CRM_UNMASK_SECONDS", 900, at_least=1, unit="s", help="How long leave to see clear data lasts"
    )
    liability_seconds: int = setting(
        "KEFU_CRM_LIABILITY_SECONDS",
        60,
        at_least=1,
        unit="s",
        help="How often unspent points are summed",
    )
    calls: CallsConfig = field(default_factory=CallsConfig)
    outbound: OutboundConfig = field(default_factory=OutboundConfig)
    environment: str = setting("KEFU_ENVIRONMENT", "prod", help="local, dev, test, staging or prod")
    absent: tuple[str, ...] = absent_services()
    server: ServerConfig = field(default_factory=ServerConfig)
