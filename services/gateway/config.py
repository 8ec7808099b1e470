"""Settings of the gateway, read from `KEFU_*` variables (services/kit/config.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from services.kit.client.settings import CallsConfig
from services.kit.config import absent_services, setting

LOCAL: Final = frozenset({"local", "dev", "test"})
_SERVICES: Final = Path(__file__).resolve().parents[1]
_SECRET_CHARACTERS: Final = 32


@dataclass(frozen=True, slots=True)
class OidcConfig:
    """Sign-in by the company's own identity provider; off without an issuer."""

    issuer: str | None = setting("KEFU_OIDC_ISSUER", None, help="Issuer URL of the identity provider (OpenID Connect)")
    client_id: str | None = setting("KEFU_OIDC_CLIENT_ID", None, help="Client id there")
    client_secret: str | None = setting("KEFU_OIDC_CLIENT_SECRET", None, help="Client secret there", secret=True)
    label: str = setting("KEFU_OIDC_LABEL", "SSO", help="Words on the button of the sign-in page")

    def __post_init__(self) -> None:
        """An issuer needs a client."""
        if self.issuer and not (self.client_id and self.client_secret):
            raise ValueError("KEFU_OIDC_ISSUER needs KEFU_OIDC_CLIENT_ID and KEFU_OIDC_CLIENT_SECRET")


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """What the web process (`serve gateway`), the stream process and the worker of the gateway need."""

    database: str = setting("KEFU_DATABASE_URL", help="PostgreSQL URL of the gateway's role", secret=True)
    secret: str = setting(
        "KEFU_GATEWAY_SECRET", help="At least 32 characters: protects forms and signed cookies", secret=True
    )
    signing_keys: Path = setting(
        "KEFU_SIGNING_KEYS", help="Folder of <kid>.key (private, Ed25519) and public/<kid>.pem of all keys in use"
    )
    old_secret: str | None = setting(
        "KEFU_GATEWAY_SECRET_OLD", None, help="The one before: still accepted, signs nothing new", secret=True
    )
    public_keys: Path | None = setting(
        "KEFU_PUBLIC_KEYS",
        None,
        help="Folder of those <kid>.pem where it is another than public/ beside the private keys",
    )
    calls: CallsConfig = field(default_factory=CallsConfig)
    sealing_keys: Path | None = setting(
        "KEFU_SEALING_KEYS", None, help="File of the keys that seal webhook secrets; no webhooks without it"
    )
    environment: str = setting("KEFU_ENVIRONMENT", "prod", help="local, dev, test, staging or prod")
    listen: str = setting("KEFU_GATEWAY_LISTEN", "127.0.0.1:8080", help="Address of the web server")
    stream_listen: str = setting("KEFU_STREAM_LISTEN", "127.0.0.1:8081", help="Address of the SSE server")
    metrics_listen: str = setting("KEFU_METRICS_LISTEN", "127.0.0.1:0", help="Address of the metrics port, host:port")
    public_url: str = setting("KEFU_PUBLIC_URL", "http://127.0.0.1:8080", help="Origin under which browsers see it")
    stream_url: str = setting(
        "KEFU_STREAM_URL",
        "",
        help="Where browsers see the SSE server: the public URL's host (cookies), its port or path",
    )
    hosts: tuple[str, ...] = setting(
        "KEFU_HOSTS", (), help="Further host names that requests may name beside the public URL's"
    )
    access: Path = setting(
        "KEFU_ACCESS_FILE", _SERVICES / "policy" / "access.yaml", help="Which role has which permissions"
    )
    signing_kid: str | None = setting("KEFU_SIGNING_KID", None, help="Key to sign with; by default the last by name")
    oidc: OidcConfig = field(default_factory=OidcConfig)
    anonymous_chat: tuple[str, ...] = setting(
        "KEFU_ANONYMOUS_CHAT", (), help="Sites whose chat page takes anonymous visitors; * for all"
    )
    profiles: Path | None = setting("KEFU_PROFILES", None, help="Folder of the site profiles")
    session_idle_seconds: float = setting(
        "KEFU_SESSION_IDLE_SECONDS", 7_200.0, unit="s", at_least=60, help="A session ends after that long unused"
    )
    session_seconds: float = setting(
        "KEFU_SESSION_SECONDS", 43_200.0, unit="s", at_least=300, help="A session ends after that long in any case"
    )
    threads: int = setting("KEFU_GATEWAY_THREADS", 24, at_least=1, at_most=200, help="Requests served at a time")
    database_connections: int = setting("KEFU_DATABASE_CONNECTIONS", 6, at_least=1, help="Size of the pool")
    max_streams: int = setting("KEFU_MAX_STREAMS", 2_000, at_least=1, help="SSE streams of one process")
    webhooks_private: bool = setting(
        "KEFU_WEBHOOKS_PRIVATE", False, help="Webhooks may go to private addresses and by plain http"
    )
    with_worker: bool = setting("KEFU_WITH_WORKER", False, help="The web process also does the worker's work")
    nats: str | None = setting("KEFU_NATS_URL", None, help="NATS URL; the worker needs it", secret=True)
    absent: tuple[str, ...] = absent_services()

    def __post_init__(self) -> None:
        """Refuse what would be unsafe or could not work."""
        if len(self.secret) < _SECRET_CHARACTERS:
            raise ValueError(f"KEFU_GATEWAY_SECRET needs at least {_SECRET_CHARACTERS} characters")
        if urlsplit(self.public_url).scheme not in ("http", "https"):
            raise ValueError("KEFU_PUBLIC_URL must begin with http:// or https://")
        if not self.local and not self.secure:
            raise ValueError("KEFU_PUBLIC_URL must be https outside of local environments")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What is accepted: the secret in use, then the one before while it is given."""
        return (self.secret, self.old_secret) if self.old_secret else (self.secret,)

    @property
    def local(self) -> bool:
        """Whether this is a developer's or test stack."""
        return self.environment in LOCAL

    @property
    def secure(self) -> bool:
        """Whether browsers come by TLS."""
        return self.public_url.startswith("https://")

    @property
    def origin(self) -> str:
        """The public origin without a path."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def stream_path(self) -> str:
        """The path under which the SSE server is mounted; empty at the root."""
        return urlsplit(self.stream_url).path.rstrip("/")

    def open_to_visitors(self, site: str) -> bool:
        """Whether the site's chat page takes anonymous visitors."""
        return "*" in self.anonymous_chat or site in self.anonymous_chat
