"""Settings of staffing, read from `KEFU_*` variables (services/kit/config.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.kit.config import absent_services, setting
from services.kit.server import ServerConfig

_SERVICES: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class StaffingConfig:
    """What `serve staffing` and `work staffing` need."""

    database: str = setting("KEFU_DATABASE_URL", help="PostgreSQL URL of staffing's role", secret=True)
    nats: str = setting("KEFU_NATS_URL", help="NATS URL", secret=True)
    public_keys: Path = setting("KEFU_PUBLIC_KEYS", help="Folder of <kid>.pem, or JWKS file: who may sign tokens")
    profiles: Path = setting("KEFU_PROFILES", help="Folder of the site profiles")
    sealing_keys: Path = setting("KEFU_SEALING_KEYS", help="File of the keys that seal personal data")
    access: Path = setting(
        "KEFU_ACCESS_FILE", _SERVICES / "policy" / "access.yaml", help="Which role has which permissions"
    )
    connections: int = setting("KEFU_DATABASE_CONNECTIONS", 6, at_least=1, help="Size of the pool")
    environment: str = setting("KEFU_ENVIRONMENT", "prod", help="local, dev, test, staging or prod")
    solver_workers: int = setting("KEFU_SOLVER_WORKERS", 2, at_least=1, help="Processes that search for one roster")
    absent: tuple[str, ...] = absent_services()
    server: ServerConfig = field(default_factory=ServerConfig)
