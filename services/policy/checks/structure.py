"""Names refer to things that exist, and nothing is named twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from zoneinfo import ZoneInfo

from kefu.policy.v1 import profile_pb2

from services.policy.faults import Fault


def check(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    """Faults of site, queues, channels and tiers."""
    if not known_zone(message.timezone):
        yield Fault("timezone", f"{message.timezone!r} is no IANA time zone", "Write one such as Asia/Shanghai")
    if not real_date(message.effective_from):
        yield Fault("effective_from", f"{message.effective_from!r} is no date", "Write YYYY-MM-DD")
    yield from _unique("queues", [queue.id for queue in message.queues])
    yield from _unique("channels", [channel.id for channel in message.channels])
    yield from _queues(message)
    yield from _tiers(message)


def _queues(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    queues = {queue.id for queue in message.queues}
    for index, queue in enumerate(message.queues):
        if queue.calendar not in message.calendars:
            yield Fault(
                f"queues[{index}].calendar", f"names no calendar ({queue.calendar!r})", _one_of(message.calendars)
            )
    for index, channel in enumerate(message.channels):
        if channel.default_queue not in queues:
            path = f"channels[{index}].default_queue"
            yield Fault(path, f"names no queue ({channel.default_queue!r})", _one_of(queues))


def _tiers(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    tiers = [tier.id for tier in message.routing.tiers]
    yield from _unique("routing.tiers", tiers)
    if tiers and message.routing.default_tier not in tiers:
        reason = f"is no tier of routing.tiers ({message.routing.default_tier!r})"
        yield Fault("routing.default_tier", reason, _one_of(tiers))
    for index, bar in enumerate(message.crm.tier_thresholds):
        if bar.tier not in tiers:
            path = f"crm.tier_thresholds[{index}].tier"
            yield Fault(path, f"is no tier of routing.tiers ({bar.tier!r})", _one_of(tiers))


def _unique(path: str, names: list[str]) -> Iterator[Fault]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Fault(f"{path}[{index}].id", f"{name} stands twice", "Keep one of the two")


def _one_of(names: Iterable[str]) -> str:
    known = ", ".join(sorted(names))
    return f"Write one of {known}" if known else "Define it first"


def known_zone(name: str) -> bool:
    """Whether an IANA time zone exists."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def real_date(text: str) -> bool:
    """Whether YYYY-MM-DD is a date of the calendar."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
