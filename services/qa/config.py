"""Settings of qa, read from `KEFU_*` variables (services/kit/config.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.kit.client.settings import CallsConfig
from services.kit.config import absent_services, setting
from services.kit.server import ServerConfig

_SERVICES: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class QaConfig:
    """What `serve qa` and `work qa` need."""

    database: str = setting("KEFU_DATABASE_URL", help="PostgreSQL URL of qa's role", secret=True)
    nats: str = setting("KEFU_NATS_URL", help="NATS URL", secret=True)
    public_keys: Path = setting("KEFU_PUBLIC_KEYS", help="Folder of <kid>.pem, or JWKS file: who may sign tokens")
    profiles: Path = setting("KEFU_PROFILES", help="Folder of the site profiles")
    sealing_keys: Path = setting("KEFU_SEALING_KEYS", help="File of the keys that seal personal data")
    objects: str = setting(
        "KEFU_QA_OBJECTS",
        help="Where recordings and frames lie: file:///folder, or s3://bucket/prefix with the AWS_* variables",
    )
    scratch: Path = setting("KEFU_QA_SCRATCH", help="Folder of frames that are being read")
    access: Path = setting(
        "KEFU_ACCESS_FILE", _SERVICES / "policy" / "access.yaml", help="Which role has which permissions"
    )
    connections: int = setting("KEFU_DATABASE_CONNECTIONS", 6, at_least=1, help="Size of the pool")
    content_seconds: int = setting(
        "KEFU_QA_CONTENT_SECONDS",
        3600,
        at_least=1,
        unit="s",
        help="How long after its end a recording's content may take to come before an alert is raised",
    )
    calls: CallsConfig = field(default_factory=CallsConfig)
    environment: str = setting("KEFU_ENVIRONMENT", "prod", help="local, dev, test, staging or prod")
    absent: tuple[str, ...] = absent_services()
    server: ServerConfig = field(default_factory=ServerConfig)
