"""A site at this moment: queues, people, promises kept today, breaches of the last hour."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Final

from services.intake.domain.values import ENDED, SERVED, State
from services.kit.db import Transaction
from services.policy.profile import Profile

RECENT: Final = timedelta(minutes=15)
BREACHES_OF: Final = timedelta(hours=1)
MOST_BREACHES: Final = 20

_WAITS: Final = "state IN ('QUEUED', 'REOPENED') OR (state = 'HANDOFF_PENDING' AND assignee = '')"
_OVER: Final = ", ".join(f"'{state}'" for state in sorted(ENDED | {State.AWAITING_RATING}))
_SERVED: Final = ", ".join(f"'{state}'" for state in sorted(SERVED))

# One pass over what is open (conversations_open) and one over the promises since midnight (clock_outcomes_settled).
_QUEUES: Final = f"""
WITH now_open AS (
    SELECT queue, count(*) AS online,
           count(*) FILTER (WHERE {_WAITS}) AS waiting,
           min(queued_at) FILTER (WHERE {_WAITS}) AS oldest,
           count(*) FILTER (WHERE state IN ({_SERVED}) AND assignee <> '') AS serving
    FROM conversations WHERE site = $1 AND state NOT IN ({_OVER}) GROUP BY queue),
promised AS (
    SELECT queue,
           count(*) FILTER (WHERE outcome = 'MET' AND settled_at >= $2) AS recent_met,
           count(*) FILTER (WHERE outcome = 'BREACHED' AND settled_at >= $2) AS recent_breached,
           count(*) FILTER (WHERE outcome = 'CANCELLED' AND settled_at >= $2) AS recent_cancelled,
           count(*) FILTER (WHERE outcome = 'MET' AND settled_at >= $3) AS today_met,
           count(*) FILTER (WHERE outcome = 'BREACHED' AND settled_at >= $3) AS today_breached,
           count(*) FILTER (WHERE outcome = 'CANCELLED' AND settled_at >= $3) AS today_cancelled
    FROM clock_outcomes
    WHERE site = $1 AND kind = 'FIRST_RESPONSE' AND settled_at >= least($2, $3)
    GROUP BY queue)
SELECT queue, coalesce(online, 0) AS online, coalesce(waiting, 0) AS waiting, oldest, coalesce(serving, 0) AS serving,
       coalesce(recent_met, 0) AS recent_met, coalesce(recent_breached, 0) AS recent_breached,
       coalesce(recent_cancelled, 0) AS recent_cancelled, coalesce(today_met, 0) AS today_met,
       coalesce(today_breached, 0) AS today_breached, coalesce(today_cancelled, 0) AS today_cancelled
FROM now_open FULL JOIN promised USING (queue)
ORDER BY queue
"""
_PEOPLE: Final = """
SELECT a.person, a.display_name_sealed, a.presence, a.load, a.capacity,
       coalesce(s.busy, 0) AS busy, coalesce(s.idle, 0) AS idle
FROM agents a LEFT JOIN (
    SELECT person,
           sum(seconds) FILTER (WHERE activity = 'BUSY') AS busy, sum(seconds) FILTER (WHERE activity = 'IDLE') AS idle
    FROM (SELECT person, activity,
                 extract(epoch FROM least(coalesce(ended_at, $3), $3) - greatest(began_at, $2)) AS seconds
          FROM agent_spans
          WHERE site = $1 AND (ended_at IS NULL OR ended_at > $2) AND began_at < $3) AS overlapping
    GROUP BY person) AS s USING (person)
WHERE a.site = $1 AND a.active AND (a.presence <> 'OFFLINE' OR a.load > 0)
ORDER BY a.person
"""
_BREACHES: Final = """
SELECT conversation, kind, settled_at, queue, person FROM clock_outcomes
WHERE site = $1 AND settled_at >= $2 AND outcome = 'BREACHED'
ORDER BY settled_at DESC, conversation, kind, number LIMIT $3
"""
_SURGE: Final = "SELECT surge FROM site_states WHERE site = $1"


@dataclass(frozen=True, slots=True)
class Level:
    """Promises kept, broken at their deadline, and not judged because the customer had left before it."""

    met: int = 0
    breached: int = 0
    cancelled: int = 0

    @property
    def ratio(self) -> float:
        """Kept of all that came due; 1 when none did."""
        due = self.met + self.breached
        return self.met / due if due else 1.0


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """A queue now. Waits in seconds."""

    queue: str
    waiting: int = 0
    oldest_wait_s: float = 0.0
    serving: int = 0
    target_s: float = 0.0
    recent: Level = field(default_factory=Level)
    today: Level = field(default_factory=Level)


@dataclass(frozen=True, slots=True)
class PersonFigures:
    """A person now. `occupancy`: share of available time of the last 15 minutes spent with at least one customer."""

    person: str
    display_name_sealed: bytes
    presence: str
    load: int
    capacity: int
    occupancy: float


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that broke at `at`."""

    conversation: str
    kind: str
    at: datetime
    queue: str
    person: str


@dataclass(frozen=True, slots=True)
class Wallboard:
    """A site at `at`."""

    at: datetime
    queues: list[QueueFigures]
    people: list[PersonFigures]
    customers_online: int
    surge: bool
    breaches: list[Breach]


async def wallboard(tx: Transaction, profile: Profile) -> Wallboard:
    """Read a site's wallboard at the transaction's instant; "today" is the day in the site's time zone."""
    site, now = profile.site, tx.now
    rows = await tx.fetch(_QUEUES, site, now - RECENT, day_start(profile, now))
    known = {row["queue"]: row for row in rows}
    targets = {name: float(queue.first_response_s or 0) for name, queue in profile.queues.items()}
    queues = []
    for name in sorted(known.keys() | targets.keys()):
        row = known.get(name)
        if row is None:
            queues.append(QueueFigures(name, target_s=targets[name]))
            continue
        queues.append(
            QueueFigures(
                name,
                waiting=row["waiting"],
                oldest_wait_s=max((now - row["oldest"]).total_seconds(), 0.0) if row["oldest"] else 0.0,
                serving=row["serving"],
                target_s=targets.get(name, 0.0),
                recent=Level(row["recent_met"], row["recent_breached"], row["recent_cancelled"]),
                today=Level(row["today_met"], row["today_breached"], row["today_cancelled"]),
            )
        )
    return Wallboard(
        at=now,
        queues=queues,
        people=await _people(tx, site),
        customers_online=sum(row["online"] for row in rows),
        surge=bool(await tx.fetchval(_SURGE, site)),
        breaches=[Breach(*row) for row in await tx.fetch(_BREACHES, site, now - BREACHES_OF, MOST_BREACHES)],
    )


def day_start(profile: Profile, instant: datetime) -> datetime:
    """Return the beginning of the site's day in which `instant` lies."""
    local = instant.astimezone(profile.timezone)
    return datetime.combine(local.date(), time(), profile.timezone)


async def _people(tx: Transaction, site: str) -> list[PersonFigures]:
    figures = []
    for row in await tx.fetch(_PEOPLE, site, tx.now - RECENT, tx.now):
        available = float(row["busy"] + row["idle"])
        figures.append(
            PersonFigures(
                row["person"],
                row["display_name_sealed"],
                row["presence"],
                row["load"],
                row["capacity"],
                float(row["busy"]) / available if available else 0.0,
            )
        )
    return figures
