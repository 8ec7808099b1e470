"""A recording: what it is of, and how it may change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

TRANSCRIPT: Final = "TRANSCRIPT"
AUDIO: Final = "AUDIO"
VIDEO: Final = "VIDEO"
KINDS: Final = (TRANSCRIPT, AUDIO, VIDEO)

# ENTITIES §7.33: registered → available → sampled → reviewed, and expired by age from each of them. What was drawn may
# still be waiting for its content.
REGISTERED: Final = "REGISTERED"
AVAILABLE: Final = "AVAILABLE"
SAMPLED: Final = "SAMPLED"
REVIEWED: Final = "REVIEWED"
EXPIRED: Final = "EXPIRED"

PHONE: Final = "PHONE"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording. `subject` names the conversation or live session; `person` served in it, "" for nobody."""

    site: str
    id: str
    kind: str
    state: str
    subject: str
    person: str
    channel: str
    queue: str
    customer: str
    started_at: datetime
    ended_at: datetime
    registered_at: datetime
    expires_at: datetime | None
    media_type: str = ""
    size_bytes: int = 0
    sha256: str = ""
    held: bool = False
    missing: bool = False

    @property
    def name(self) -> str:
        """Resource name."""
        return f"sites/{self.site}/recordings/{self.id}"


def kind_of(channel: str) -> str:
    """What a conversation of this channel leaves: calls sound, everything else its messages."""
    return AUDIO if channel == PHONE else TRANSCRIPT


def first_state(kind: str) -> str:
    """A transcript is there at once, since intake keeps it; sound and picture have to come."""
    return AVAILABLE if kind == TRANSCRIPT else REGISTERED


def expiry(ended_at: datetime, retention_days: int | None) -> datetime | None:
    """Until when the content is kept; None where the site sets no retention."""
    return None if retention_days is None else ended_at + timedelta(days=retention_days)
