"""The declared call list (`calls.yaml`): who may call whom, and who hears whose events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.kit import yaml_text

FILE: Final = Path(__file__).with_name("calls.yaml")
_KEYS: Final = {"calls", "hears"}


class CallsError(ValueError):
    """The call list cannot be used; the text names every fault."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Service → the services that it calls, and those whose events it hears."""

    calls: Mapping[str, tuple[str, ...]]
    hears: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, path: Path = FILE) -> Calls:
        """Read the list; raises CallsError."""
        return cls.of(yaml_text.load(path.read_text(encoding="utf-8")))

    @classmethod
    def of(cls, document: Any) -> Calls:
        """Build from the parsed YAML; raises CallsError naming every fault."""
        if faults := list(_faults(document)):
            raise CallsError("; ".join(faults))
        return cls(
            calls={service: tuple(entry["calls"]) for service, entry in document.items()},
            hears={service: tuple(entry["hears"]) for service, entry in document.items()},
        )

    @property
    def services(self) -> frozenset[str]:
        """Every service of the list."""
        return frozenset(self.calls)

    @property
    def edges(self) -> frozenset[tuple[str, str]]:
        """(caller, called) of every declared call."""
        return frozenset((caller, called) for caller, names in self.calls.items() for called in names)

    @property
    def events(self) -> frozenset[tuple[str, str]]:
        """(publisher, hearer) of every declared flow of events."""
        return frozenset((publisher, hearer) for hearer, names in self.hears.items() for publisher in names)

    def callers_of(self, service: str) -> frozenset[str]:
        """Who may call a service."""
        return frozenset(caller for caller, names in self.calls.items() if service in names)


def _faults(document: Any) -> Iterator[str]:
    if not isinstance(document, Mapping) or not document:
        yield "expected a mapping of service to {calls, hears}"
        return
    for service, entry in document.items():
        if not isinstance(entry, Mapping) or set(entry) != _KEYS:
            yield f"{service}: expected exactly `calls` and `hears`"
            continue
        for key in sorted(_KEYS):
            unknown = [name for name in entry[key] if name not in document]
            if unknown:
                yield f"{service}.{key}: {', '.join(map(str, unknown))} is no service of this list"
        if service in entry["calls"]:
            yield f"{service}.calls: a service does not call itself"
