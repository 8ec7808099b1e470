"""Settings of a process that calls services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.kit.client.target import Target
from services.kit.config import setting


@dataclass(frozen=True, slots=True)
class CallsConfig:
    """Where services answer, and how they are trusted."""

    targets: tuple[str, ...] = setting(
        "KEFU_TARGETS", (), help="Where services answer: intake=host:port,staffing=host:port,…"
    )
    tls_authority: Path | None = setting("KEFU_SERVICES_CA", None, help="PEM file: TLS to services, trusted by it")
    tls_certificate: Path | None = setting("KEFU_TLS_CERTIFICATE", None, help="PEM file of our certificate")
    tls_key: Path | None = setting("KEFU_TLS_KEY", None, help="PEM file of our certificate's key")

    def __post_init__(self) -> None:
        """Refuse an address of nobody."""
        if wrong := [target for target in _whole(self.targets) if "=" not in target]:
            raise ValueError(f"KEFU_TARGETS: {', '.join(wrong)} must read service=host:port")

    @property
    def addresses(self) -> dict[str, str]:
        """Service → host:port, or gRPC's list of them: ipv4:127.0.0.1:5000,127.0.0.1:5001."""
        return dict(target.split("=", 1) for target in _whole(self.targets))

    def target(self, service: str, contracts: Sequence[str]) -> Target:
        """Where a service answers; `contracts` are the full names of its services, from which retries follow."""
        return Target(
            self.addresses.get(service, f"dns:///{service}"),
            contracts,
            authority_file=self.tls_authority,
            certificate=self.tls_certificate,
            key=self.tls_key,
        )


def _whole(parts: Sequence[str]) -> list[str]:
    """Join the addresses of a list of gRPC's (ipv4:…,…), which the commas between targets have cut."""
    whole: list[str] = []
    for part in parts:
        if whole and "=" not in part and whole[-1].partition("=")[2].startswith(("ipv4:", "ipv6:")):
            whole[-1] += f",{part}"
        else:
            whole.append(part)
    return whole
