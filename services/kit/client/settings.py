"""Settings of a service that calls others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.kit.client.target import Target
from services.kit.config import setting


@dataclass(frozen=True, slots=True)
class CallsConfig:
    """Where neighbours answer, and how they are trusted."""

    targets: tuple[str, ...] = setting("KEFU_TARGETS", (), help="Where services answer: intake=host:port")
    tls_authority: Path | None = setting("KEFU_SERVICES_CA", None, help="PEM file: TLS to services, trusted by it")
    tls_certificate: Path | None = setting("KEFU_TLS_CERTIFICATE", None, help="PEM file of our certificate")
    tls_key: Path | None = setting("KEFU_TLS_KEY", None, help="PEM file of our certificate's key")

    def target(self, service: str, *contracts: str) -> Target:
        """Where a service answers; `contracts` are the full names of its services, from which retries follow."""
        addresses = dict(target.split("=", 1) for target in self.targets if "=" in target)
        return Target(
            addresses.get(service, f"dns:///{service}"),
            list(contracts),
            authority_file=self.tls_authority,
            certificate=self.tls_certificate,
            key=self.tls_key,
        )
