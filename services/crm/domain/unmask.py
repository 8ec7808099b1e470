"""Leave to see a customer's clear data: one person asks, another decides, and it ends by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

PENDING = "PENDING"
GRANTED = "GRANTED"
REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Grant:
    """One request and what became of it."""

    site: str
    id: str
    customer: str
    state: str
    requester: str
    reason: str
    decider: str = ""
    expires_at: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"sites/{self.site}/customers/{self.customer}/unmaskGrants/{self.id}"

    def holds(self, person: str, now: datetime) -> bool:
        """Whether this person may look now."""
        granted = self.state == GRANTED and self.expires_at is not None and now < self.expires_at
        return granted and person == self.requester
