"""The profile as domain code reads it: frozen plain values without protobuf, built once per version.

An optional value that is None means that the site makes no such promise or rule: no clock runs, no limit holds.
Names of enum values are the short ones of the YAML file ("GTE", "SUMMARY", "TRANSFER").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from services.policy.calendar import Calendar


@dataclass(frozen=True, slots=True)
class Text:
    """Words for people in both languages."""

    zh: str
    en: str

    def get(self, locale: str) -> str:
        """The words for a locale such as "zh-CN" or "en"; Chinese unless it begins with "en"."""
        return self.en if locale.startswith("en") else self.zh


@dataclass(frozen=True, slots=True)
class Queue:
    """A waiting line with the promises that hold in it."""

    id: str
    display_name: Text
    kind: str
    skills: frozenset[str]
    calendar: Calendar
    first_response_s: int | None
    complex_strategy: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A way in, and the queue of a conversation that names none."""

    id: str
    display_name: Text
    default_queue: str


@dataclass(frozen=True, slots=True)
class Sla:
    """Promises of conversations and calls in seconds (see `Profile.clock_calendar`); first response is on the queue."""

    greeting_s: int | None
    reply_gap_s: int | None
    handoff_s: int | None
    verification_callback_s: int | None
    harassment_supervisor_s: int | None
    answer_max_rings: int | None
    bot_reply_stops_clock: bool
    warn_fractions: tuple[float, ...]
    pauses: Mapping[str, frozenset[str]]

    def may_pause(self, clock: str, reason: str) -> bool:
        """Whether a clock ("REPLY_GAP") may stand still for a reason ("CUSTOMER_SILENT"). Not named means never."""
        return reason in self.pauses.get(clock, frozenset())


@dataclass(frozen=True, slots=True)
class Surge:
    """When a surge begins and ends, in customers waiting or being served."""

    threshold: int
    operator: str
    exit_threshold: int

    def active(self, online: int, *, before: bool) -> bool:
        """Whether the surge is on at this number of customers, given whether it was on before (hysteresis)."""
        begins = online >= self.threshold if self.operator == "GTE" else online > self.threshold
        return begins or (before and online >= self.exit_threshold)


@dataclass(frozen=True, slots=True)
class Routing:
    """Who gets which conversation when."""

    surge: Surge | None
    tier_weights: Mapping[str, float]
    default_tier: str
    ceiling_fraction: float
    take_back_after_s: int | None
    capacity_default: int
    burst_window_s: int
    max_transfers: int | None

    def weight(self, tier: str) -> float:
        """How many times a second of waiting counts for a customer of this tier."""
        return self.tier_weights.get(tier, 1.0)


@dataclass(frozen=True, slots=True)
class Reception:
    """What is on record before serving: NEED, SOURCE; and how a customer is greeted.

    `opening` is said in the name of who takes a conversation, whose name stands for `{agent}`; None says nothing.
    `names_agent`: a greeting that an agent writes must hold the agent's name.
    """

    required: frozenset[str]
    opening: str | None
    names_agent: bool


@dataclass(frozen=True, slots=True)
class Closing:
    """Steps before closing (SUMMARY, ASKED_ANYTHING_ELSE, FAREWELL) and what stays possible after it."""

    required: tuple[str, ...]
    rating_window_s: int | None
    reopen_window_s: int | None


@dataclass(frozen=True, slots=True)
class Rating:
    """Customers' rating scale and the mean below which service is warned."""

    min: int
    max: int
    floor: float | None


@dataclass(frozen=True, slots=True)
class Bot:
    """When the bot answers: ALWAYS, SURGE_ONLY, OFF."""

    mode: str
    confidence_threshold: float


@dataclass(frozen=True, slots=True)
class Telephony:
    """The telephone. `answer_within_s` turns the promised rings into seconds from the first ring."""

    ring_interval_s: float
    customer_hangs_up_first: bool
    answer_within_s: float | None


@dataclass(frozen=True, slots=True)
class Presence:
    """When somebody counts as off post."""

    off_post_min: int | None
    break_allowance_min: int | None


@dataclass(frozen=True, slots=True)
class ShiftPattern:
    """Shifts of one length; `starts` in minutes after midnight, `minutes` with the unpaid break."""

    id: str
    starts: tuple[int, ...]
    minutes: int
    break_min: int


@dataclass(frozen=True, slots=True)
class Rostering:
    """Hard rules of rosters. `weekly_rest_h` is the site's or the law's, whichever is more."""

    weekly_rest_h: int
    rest_between_h: int
    most_days_in_row: int
    most_hours_week: int
    change_notice_h: int
    supervisor_present: bool
    shifts: tuple[ShiftPattern, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """One site's rules in one version. Judge a moment by the version in force then: `ProfileSet.at(site, instant)`."""

    site: str
    version: str
    """SHA-256 of the canonical profile, hexadecimal: the identity of this version."""
    effective_from: datetime
    """Start of the first day in force, UTC."""
    display_name: Text
    regimes: tuple[str, ...]
    timezone: ZoneInfo
    calendars: Mapping[str, Calendar]
    channels: Mapping[str, Channel]
    queues: Mapping[str, Queue]
    sla: Sla
    routing: Routing
    reception: Reception
    closing: Closing
    rating: Rating | None
    bot: Bot
    telephony: Telephony | None
    presence: Presence
    roster: Rostering
    every_second: Calendar
    """The calendar that is always open, in the site's time zone."""
    settings: Mapping[str, object]
    """Every setting that the profile gives, by canonical name, as plain immutable values (see `setting`)."""

    def setting(self, key: str) -> object | None:
        """A setting by its canonical name, e.g. "sampling.per_week" → 5; None where the site has none."""
        return self.settings.get(key)

    def clock_calendar(self, queue: Queue, clock: str) -> Calendar:
        """The calendar in which a clock ("FIRST_RESPONSE") of a queue counts.

        The queue's business hours where the profile lets that clock pause OUTSIDE_HOURS, else every second counts.
        """
        return queue.calendar if self.sla.may_pause(clock, "OUTSIDE_HOURS") else self.every_second

    def queue(self, queue: str, channel: str) -> Queue | None:
        """The named queue, or the channel's default one for an empty name; None where the site has no such queue."""
        if queue:
            return self.queues.get(queue)
        way_in = self.channels.get(channel)
        return self.queues[way_in.default_queue] if way_in else None
