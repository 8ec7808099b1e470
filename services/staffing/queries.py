"""Reading people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from services.kit.db import Reading
from services.staffing.domain.person import Person
from services.staffing.domain.presence import day_start, online_seconds
from services.staffing.store.people import Store

Zones = Callable[[str], ZoneInfo]
"""The time zone of a site; raises NotFound SITE_UNKNOWN for one without a profile."""


async def online_today(tx: Reading, store: Store, zone: ZoneInfo, people: Sequence[Person]) -> dict[str, int]:
    """Seconds online today, site time, by person id; all people are of one site."""
    if not people:
        return {}
    start = day_start(tx.now, zone)
    spans = await store.spans(tx, people[0].site, [person.id for person in people], since=start)
    return {person: online_seconds(found, start=start, now=tx.now) for person, found in spans.items()}
