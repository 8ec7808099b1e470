"""A data subject's request; its life cycle is `cycles.REQUEST`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

EXPORT: Final = "EXPORT"
CORRECTION: Final = "CORRECTION"
ERASURE: Final = "ERASURE"
FULFILLING: Final = "FULFILLING"
FULFILLED: Final = "FULFILLED"
# Who may know a customer, and so has to answer before an erasure is done.
WITNESSES: Final = ("crm", "gateway", "intake", "qa")


@dataclass(frozen=True, slots=True)
class DataRequest:
    """What is asked for whom, how far it is, and who took part."""

    site: str
    id: str
    customer: str
    kind: str
    state: str
    opened_at: datetime
    verifier: str = ""
    decider: str = ""
    words: str = ""
    ended_at: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"sites/{self.site}/dataRequests/{self.id}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What one service has forgotten, in rows by table."""

    service: str
    erased: Mapping[str, int]
    at: datetime
