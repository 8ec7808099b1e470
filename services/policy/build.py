"""`SiteProfile` message → the plain `Profile` that domain code reads. The message has been validated before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from kefu.policy.v1 import profile_pb2, service_pb2, sla_pb2, staff_pb2

from services.policy import profile as view
from services.policy import schema
from services.policy.calendar import Calendar, Span
from services.policy.chinese_days import china

DEFAULT_CAPACITY = 1
DEFAULT_CONFIDENCE = 1.0


def build(message: profile_pb2.SiteProfile, version: str) -> view.Profile:
    """The plain view of a validated message. `version` is its hash."""
    zone = ZoneInfo(message.timezone)
    calendars = {name: calendar(entry, zone) for name, entry in sorted(message.calendars.items())}
    return view.Profile(
        site=message.site,
        version=version,
        effective_from=in_force_from(message),
        display_name=_text(message.display_name),
        regimes=tuple(regime_name(number) for number in message.regimes),
        timezone=zone,
        calendars=MappingProxyType(calendars),
        channels=MappingProxyType(
            {c.id: view.Channel(c.id, _text(c.display_name), c.default_queue) for c in message.channels}
        ),
        queues=MappingProxyType({queue.id: _queue(queue, message, calendars) for queue in message.queues}),
        sla=_sla(message.sla),
        routing=_routing(message.routing),
        reception=view.Reception(
            required=frozenset(_names(service_pb2.ReceptionStep.DESCRIPTOR, message.reception.required)),
            opening=_optional(message.reception, "opening"),
            names_agent=message.lint.opening_names_agent,
        ),
        closing=_closing(message.closing),
        rating=_rating(message),
        bot=_bot(message),
        telephony=_telephony(message),
        presence=view.Presence(
            _optional(message.presence, "off_post_min"), _optional(message.presence, "break_allowance_min")
        ),
        roster=_roster(message.roster),
        every_second=Calendar(zone, always_open=True),
        settings=_settings(message),
    )


def _roster(message: staff_pb2.RosterPolicy) -> view.Rostering:
    return view.Rostering(
        weekly_rest_h=max(message.weekly_rest_min_h, message.legal_floor_h),
        rest_between_h=message.rest_between_h,
        most_days_in_row=message.most_days_in_row or 6,
        most_hours_week=message.most_hours_week or 44,
        change_notice_h=message.change_notice_h,
        supervisor_present=message.supervisor_present,
        shifts=tuple(_shifts(one) for one in message.shifts),
    )


def _shifts(pattern: staff_pb2.ShiftPattern) -> view.ShiftPattern:
    first = minutes_of(getattr(pattern, "from"))
    last = minutes_of(pattern.to) if pattern.to else first
    starts = tuple(range(first, last + 1, pattern.every_min or 60))
    return view.ShiftPattern(pattern.id, starts, pattern.minutes, pattern.break_min)


def minutes_of(text: str) -> int:
    """Minutes after midnight of HH:MM."""
    hours, minutes = text.split(":")
    return 60 * int(hours) + int(minutes)


def in_force_from(message: profile_pb2.SiteProfile) -> datetime:
    """Start of the first day in force at the site, UTC."""
    day = date.fromisoformat(message.effective_from)
    return datetime.combine(day, time(), ZoneInfo(message.timezone)).astimezone(UTC)


def regime_name(number: int) -> str:
    """Name of a regime as the catalogue writes it, e.g. "TAOBAO-1"."""
    return schema.short_name(profile_pb2.Regime.DESCRIPTOR, number).replace("_", "-")


def calendar(entry: profile_pb2.Calendar, zone: ZoneInfo) -> Calendar:
    """A calendar of the profile; `zone` is the site's time zone."""
    weekly: list[tuple[Span, ...]] = [()] * 7
    for hours in entry.weekly:
        for day in hours.days:
            weekly[day - 1] = (*weekly[day - 1], *map(Span.parse, hours.spans))
    exceptions = {date.fromisoformat(day.date): tuple(sorted(map(Span.parse, day.spans))) for day in entry.exceptions}
    return Calendar(
        timezone=ZoneInfo(entry.timezone) if entry.timezone else zone,
        always_open=entry.always_open,
        weekly=tuple(tuple(sorted(spans)) for spans in weekly),
        exceptions=MappingProxyType(exceptions),
        holidays=china if entry.holidays == profile_pb2.HOLIDAYS_CHINA else None,
    )


def first_response_s(queue: profile_pb2.Queue, promise: sla_pb2.FirstResponse) -> int | None:
    """First-response promise of a queue: its own figure, else its kind's, else the default; None for none."""
    if queue.id in promise.queues:
        return promise.queues[queue.id]
    if queue.kind in promise.kinds:
        return promise.kinds[queue.kind]
    return promise.default if promise.HasField("default") else None


def _queue(entry: profile_pb2.Queue, message: profile_pb2.SiteProfile, calendars: Mapping[str, Calendar]) -> view.Queue:
    strategy = entry.complex_strategy or message.complex.strategy or service_pb2.COMPLEX_STRATEGY_TRANSFER
    return view.Queue(
        id=entry.id,
        display_name=_text(entry.display_name),
        kind=entry.kind,
        skills=frozenset(entry.skills),
        calendar=calendars[entry.calendar],
        first_response_s=first_response_s(entry, message.sla.first_response_s),
        complex_strategy=schema.short_name(service_pb2.ComplexStrategy.DESCRIPTOR, strategy),
    )


def _sla(entry: sla_pb2.Sla) -> view.Sla:
    clocks, reasons = sla_pb2.ClockKind.DESCRIPTOR, sla_pb2.PauseReason.DESCRIPTOR
    pauses = {schema.short_name(clocks, p.clock): frozenset(_names(reasons, p.reasons)) for p in entry.pauses}
    return view.Sla(
        greeting_s=_optional(entry, "greeting_s"),
        reply_gap_s=_optional(entry, "reply_gap_s"),
        handoff_s=_optional(entry, "handoff_s"),
        verification_callback_s=_optional(entry, "verification_callback_s"),
        harassment_supervisor_s=_optional(entry, "harassment_supervisor_s"),
        answer_max_rings=_optional(entry, "answer_max_rings"),
        bot_reply_stops_clock=entry.bot_reply_stops_clock,
        warn_fractions=tuple(entry.warn_fractions),
        pauses=MappingProxyType(pauses),
    )


def _routing(entry: service_pb2.Routing) -> view.Routing:
    surge = None
    if entry.HasField("surge_online_customers"):
        operator = schema.short_name(service_pb2.Comparator.DESCRIPTOR, entry.surge.operator)
        surge = view.Surge(entry.surge_online_customers, operator, entry.surge.exit_threshold)
    return view.Routing(
        surge=surge,
        tier_weights=MappingProxyType({tier.id: tier.weight for tier in entry.tiers}),
        default_tier=entry.default_tier,
        ceiling_fraction=entry.ceiling_fraction if entry.HasField("ceiling_fraction") else 1.0,
        take_back_after_s=_optional(entry, "take_back_after_s"),
        capacity_default=entry.capacity_default or DEFAULT_CAPACITY,
        burst_window_s=entry.burst_window_s,
        max_transfers=_optional(entry, "max_transfers"),
    )


def _closing(entry: service_pb2.Closing) -> view.Closing:
    return view.Closing(
        required=tuple(_names(service_pb2.ClosingStep.DESCRIPTOR, entry.required)),
        rating_window_s=_optional(entry, "rating_window_s"),
        reopen_window_s=_optional(entry, "reopen_window_s"),
    )


def _rating(message: profile_pb2.SiteProfile) -> view.Rating | None:
    if not message.rating.HasField("scale_and_floor"):
        return None
    scale = message.rating.scale_and_floor
    return view.Rating(scale.min, scale.max, scale.floor if scale.HasField("floor") else None)


def _bot(message: profile_pb2.SiteProfile) -> view.Bot:
    mode = message.bot.mode or service_pb2.BOT_MODE_OFF
    known = message.bot.HasField("confidence_threshold")
    confidence = message.bot.confidence_threshold if known else DEFAULT_CONFIDENCE
    return view.Bot(schema.short_name(service_pb2.BotMode.DESCRIPTOR, mode), confidence)


def _telephony(message: profile_pb2.SiteProfile) -> view.Telephony | None:
    if not message.HasField("telephony"):
        return None
    interval = message.telephony.ring_interval_s
    rings = _optional(message.sla, "answer_max_rings")
    return view.Telephony(interval, message.telephony.customer_hangs_up_first, rings * interval if rings else None)


def _settings(message: profile_pb2.SiteProfile) -> Mapping[str, object]:
    values = schema.plain(message)
    found = {}
    for key in schema.settings():
        group, name = key.split(".")
        if name in values.get(group, {}):
            found[key] = _frozen(values[group][name])
    return MappingProxyType(found)


def _frozen(value: Any) -> object:
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(inner) for key, inner in value.items()})
    return tuple(_frozen(inner) for inner in value) if isinstance(value, list) else value


def _text(entry: profile_pb2.Text) -> view.Text:
    return view.Text(entry.zh, entry.en)


def _names(enum: Any, numbers: Any) -> list[str]:
    return [schema.short_name(enum, number) for number in numbers]


def _optional(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None
