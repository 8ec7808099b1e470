"""Consent: per purpose and channel, with what was ever said about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Consent:
    """One thing that a customer said: `granted` or withdrawn, where, and who recorded it."""

    purpose: str
    channel: str
    granted: bool
    source: str
    actor: str
    at: datetime
