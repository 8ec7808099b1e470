"""A promise to a customer: kept with a note in time, or broken when its time is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Commitment:
    """One promise. `owner` answers for it; what was promised lies with the words."""

    site: str
    id: str
    customer: str
    owner: str
    conversation: str
    state: str
    made_at: datetime
    due_at: datetime
    ended_at: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"sites/{self.site}/commitments/{self.id}"


@dataclass(frozen=True, slots=True)
class Kept:
    """How somebody keeps their word."""

    owner: str
    kept: int
    broken: int
    open: int
