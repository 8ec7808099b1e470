"""Whether a message may go to a customer, by which channel, and when: asked at planning and again when it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Purpose(StrEnum):
    """What a message is for; consent is given for each by itself (PIPL art. 14)."""

    MARKETING = "MARKETING"
    CARE = "CARE"
    SURVEY = "SURVEY"


class Suppressed(StrEnum):
    """Why a message never goes."""

    ERASED = "ERASED"
    DO_NOT_CONTACT = "DO_NOT_CONTACT"
    NO_CONSENT = "NO_CONSENT"
    NO_ADDRESS = "NO_ADDRESS"
    FREQUENCY_CAP = "FREQUENCY_CAP"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Reach:
    """How a customer may be reached: consents as (purpose, channel), channels in their own order of preference."""

    consents: frozenset[tuple[Purpose, str]]
    preferred: tuple[str, ...]
    addresses: frozenset[str]
    do_not_contact: bool = False
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which nobody is written to, in the site's time zone; `start` after `end` spans midnight."""

    start: time
    end: time
    zone: ZoneInfo

    def until(self, now: datetime) -> datetime | None:
        """When the quiet that holds now ends, in UTC; None outside of it. A wall time that is skipped ends later."""
        local = now.astimezone(self.zone)
        wall = local.time().replace(tzinfo=None)
        across = self.start > self.end
        within = wall >= self.start or wall < self.end if across else self.start <= wall < self.end
        if not within:
            return None
        day = local.date() + timedelta(days=1) if across and wall >= self.start else local.date()
        return datetime.combine(day, self.end, tzinfo=self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many messages in a stretch of time, over all campaigns."""

    messages: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Send:
    """Let it go by this channel."""

    channel: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before `until`."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Stop:
    """Never."""

    reason: Suppressed


def decide(
    purpose: Purpose,
    reach: Reach,
    *,
    channels: Sequence[str],
    quiet: Quiet | None,
    cap: Cap | None,
    sent: Sequence[datetime],
    now: datetime,
) -> Send | Wait | Stop:
    """Judge one message.

    `channels` are those that the message can go by, in the sender's order; the customer's own order wins. `sent` are
    the instants of earlier messages. What forbids comes before what delays.
    """
    if (reason := _forbidden(purpose, reach, channels)) is not None:
        return Stop(reason)
    if cap is not None and sum(now - cap.window < one <= now for one in sent) >= cap.messages:
        return Stop(Suppressed.FREQUENCY_CAP)
    if quiet is not None and (until := quiet.until(now)) is not None:
        return Wait(until)
    return Send(_open(purpose, reach, channels)[0])


def _forbidden(purpose: Purpose, reach: Reach, channels: Sequence[str]) -> Suppressed | None:
    if reach.erased:
        return Suppressed.ERASED
    if reach.do_not_contact:
        return Suppressed.DO_NOT_CONTACT
    if not any((purpose, channel) in reach.consents for channel in channels):
        return Suppressed.NO_CONSENT
    return None if _open(purpose, reach, channels) else Suppressed.NO_ADDRESS


def _open(purpose: Purpose, reach: Reach, channels: Sequence[str]) -> list[str]:
    """Channels with consent and an address: the customer's preferred ones in their order, then the sender's."""
    ordered = [one for one in reach.preferred if one in channels]
    ordered += [one for one in channels if one not in ordered]
    return [one for one in ordered if (purpose, one) in reach.consents and one in reach.addresses]
