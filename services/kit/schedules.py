"""Recurring jobs on the timers' dispatcher: each period once, however many workers there are.

A schedule is a timer that re-arms itself; a row with the unique key (job, period) is written in the transaction of the
job's effect, so that a period is never done twice and a crash leaves it to be done.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from dateutil.rrule import rruleset, rrulestr

from services.kit.db import Database, Transaction
from services.kit.inbox import expire_inbox
from services.kit.timers.table import Timer, arm
from services.kit.uow import expire_replies

OWNER_KIND = "schedule"
_SHORT = ("HOURLY", "MINUTELY", "SECONDLY")
_EPOCH = datetime(1990, 1, 1)  # noqa: DTZ001 - a wall time; the zone is the schedule's

_CLAIM = """
INSERT INTO kefu_job_runs (job, period, outcome, ran_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (job, period) DO NOTHING RETURNING true
"""
_WAITING = "SELECT owner_id FROM kefu_timers WHERE owner_kind = $1 AND due_at <= $2"


class Misfire(enum.Enum):
    """What to do with periods that passed while nobody was running."""

    RUN_ALL = "each of them, oldest first"
    RUN_LATEST = "only the latest"
    SKIP = "none; the next one in its time"


Job = Callable[[datetime, Transaction], Awaitable[None]]


@dataclass(frozen=True)
class Schedule:
    """When a job runs: an RFC 5545 rule in wall time of `zone`, e.g. `FREQ=DAILY;BYHOUR=8;BYMINUTE=30;BYSECOND=0`.

    Intervals of days and longer count from Monday, 1 January 1990, shorter ones from midnight of the day before. A wall
    time that daylight saving skips falls as much later as the clock jumps; one that happens twice is taken once, the
    first time. `grace` is how late a run may be before the misfire policy decides.
    """

    job: str
    rule: str
    run: Job
    zone: str = "UTC"
    misfire: Misfire = Misfire.RUN_LATEST
    grace: timedelta = timedelta(minutes=5)

    @cached_property
    def _long_rule(self) -> rruleset:
        return rrulestr(self.rule, dtstart=_EPOCH, forceset=True, cache=True)

    def _rule(self, wall: datetime) -> rruleset:
        """Return the rule's occurrences; short intervals are not counted through from 1990 on."""
        if not any(f"FREQ={short}" in self.rule for short in _SHORT):
            return self._long_rule
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
        return rrulestr(self.rule, dtstart=midnight - timedelta(days=1), forceset=True)

    def after(self, instant: datetime) -> datetime | None:
        """Return the first period strictly after an instant, in UTC; None when the rule has ended."""
        zone = ZoneInfo(self.zone)
        wall = instant.astimezone(zone).replace(tzinfo=None) - timedelta(hours=3)  # zones jump by less than that
        for occurrence in self._rule(wall).xafter(wall, inc=True):
            moment: datetime = occurrence.replace(tzinfo=zone, fold=0).astimezone(UTC)
            if moment > instant:
                return moment
        return None

    def missed(self, due: datetime, now: datetime) -> list[datetime]:
        """Return the periods from `due` up to and including `now`, oldest first."""
        periods: list[datetime] = []
        period: datetime | None = due
        while period is not None and period <= now:
            periods.append(period)
            period = self.after(period)
        return periods


class Scheduler:
    """Runs schedules; give `fire` to the dispatcher as the route of `OWNER_KIND`, and call `start` once at start."""

    def __init__(self, schedules: Iterable[Schedule]) -> None:
        self._schedules = {schedule.job: schedule for schedule in schedules}

    async def start(self, database: Database) -> None:
        """Arm every schedule by its present rule; those that came due meanwhile stay due: none is skipped."""
        async with database.transaction() as tx:
            waiting = {row["owner_id"] for row in await tx.fetch(_WAITING, OWNER_KIND, tx.now)}
            others = [schedule for job, schedule in self._schedules.items() if job not in waiting]
            await _arm(tx, [(schedule, schedule.after(tx.now)) for schedule in others])

    async def fire(self, timers: list[Timer], tx: Transaction) -> None:
        """Run what is due and arm the next period; a job that no longer exists ends here."""
        for timer in timers:
            schedule = self._schedules.get(timer.owner_id)
            if schedule is None:
                continue
            now = max(tx.now, timer.due_at)
            missed = schedule.missed(timer.due_at, now)
            for period in chosen(schedule, missed, now):
                if await tx.fetchval(_CLAIM, schedule.job, period, "DONE", now):
                    await schedule.run(period, tx)
            for period in missed:
                await tx.fetchval(_CLAIM, schedule.job, period, "SKIPPED", now)
            await _arm(tx, [(schedule, schedule.after(now))])


def chosen(schedule: Schedule, missed: Sequence[datetime], now: datetime) -> list[datetime]:
    """Return which of the passed periods are run, by the schedule's misfire policy."""
    if schedule.misfire is Misfire.RUN_ALL:
        return list(missed)
    latest = list(missed[-1:])
    if schedule.misfire is Misfire.RUN_LATEST:
        return latest
    return [period for period in latest if now - period <= schedule.grace]


def housekeeping() -> list[Schedule]:
    """Return the kit's own jobs: expiry of stored replies and of inbox rows."""

    async def expire(_period: datetime, tx: Transaction) -> None:
        await expire_replies(tx)
        await expire_inbox(tx)

    return [Schedule("kit.housekeeping", "FREQ=HOURLY;BYMINUTE=17;BYSECOND=0", expire)]


async def _arm(tx: Transaction, due: Sequence[tuple[Schedule, datetime | None]]) -> None:
    timers = [Timer(OWNER_KIND, one.job, "run", "*", 0, moment) for one, moment in due if moment is not None]
    await arm(tx, timers)
