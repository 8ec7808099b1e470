"""A campaign: what goes to whom, how often, and the rules under which its messages go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.crm.domain.guard import Cap, Purpose, Quiet
from services.crm.domain.holdout import commitment
from services.crm.domain.occasions import LeapDay, birthday_key, holiday_key
from services.crm.domain.period import later
from services.crm.domain.segment import Segment

BIRTHDAY: Final = "BIRTHDAY"
HOLIDAY: Final = "HOLIDAY"
# Looked at every day: whom the day concerns, if anybody.
DAILY: Final = frozenset({BIRTHDAY, HOLIDAY})


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants to send to whom. With `coupon_fen` a coupon goes along, named {coupon} in the texts."""

    kind: str
    purpose: Purpose
    title: str
    subject: str
    body: str
    channels: tuple[str, ...]
    segment: Segment
    holdout_share: float
    window_days: int
    recurring: bool = False
    coupon_fen: int = 0
    coupon_days: int = 0


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as stored.

    A round is one drawing of its audience: `drawn_to` is how far it is drawn, None before and after; `occasion` is what
    a customer has once, for example birthday/2026, and `day` the site's day that it is about.
    """

    site: str
    id: str
    draft: Draft
    seed: bytes
    state: str
    version: int
    author: str
    approver: str
    reason: str
    start_at: datetime | None
    began_at: datetime | None
    ended_at: datetime | None
    drawn_to: str | None
    occasion: str
    day: date | None
    created_at: datetime

    @property
    def name(self) -> str:
        """The resource name."""
        return f"sites/{self.site}/campaigns/{self.id}"

    @property
    def seed_hash(self) -> str:
        """On record from the first moment."""
        return commitment(self.seed)

    @property
    def open_seed(self) -> bytes | None:
        """The seed itself, once nothing can be drawn with it any more."""
        return self.seed if self.state in ("ENDED", "EVALUATED", "CANCELLED") else None


@dataclass(frozen=True, slots=True)
class Rules:
    """The site's rules for outgoing messages: hours, frequency, and how often a recurring campaign comes round."""

    zone: ZoneInfo
    quiet: Quiet | None = None
    cap: Cap | None = None
    leap_day: LeapDay = LeapDay.FEB_28
    intervals: Mapping[str, str] | None = None

    def interval(self, kind: str) -> str | None:
        """ISO 8601 period between two rounds of a recurring campaign; None where the profile has none."""
        return (self.intervals or {}).get(kind)


@dataclass(frozen=True, slots=True)
class Addressee:
    """Where a message goes and how the customer is called in it; personal, never stored in the clear."""

    to: str
    name: str


def filled(text: str, addressee: Addressee, *, coupon: str = "", answer: str = "") -> str:
    """The text with {name}, {coupon} and {answer} replaced; nothing else in braces means anything."""
    given = text.replace("{coupon}", coupon).replace("{answer}", answer)
    return given.replace("{name}", addressee.name)  # last, so that nobody's name is read as a placeholder


def occasion_of(campaign: Campaign, day: date, holidays: Callable[[date], str | None]) -> str | None:
    """What a round on this day is about; None where there is nothing, as on a day that begins no holiday.

    `holidays` names the holiday whose first day a date is.
    """
    if campaign.draft.kind == BIRTHDAY:
        return birthday_key(day)
    if campaign.draft.kind == HOLIDAY:
        name = holidays(day)
        return None if name is None else holiday_key(name, day)
    return f"round/{campaign.id}/{day}" if campaign.draft.recurring else ""


def next_round(campaign: Campaign, at: datetime, rules: Rules) -> datetime | None:
    """When the round after the one at `at` begins, at the same wall time of the site; None for the last one."""
    local = at.astimezone(rules.zone)
    if campaign.draft.kind in DAILY:
        return local + timedelta(days=1)
    interval = rules.interval(campaign.draft.kind) if campaign.draft.recurring else None
    return None if interval is None else later(local, interval)
