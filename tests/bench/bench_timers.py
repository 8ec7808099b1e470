"""`python -m tests.bench.bench_timers`: a million armed timers, a thousand due a second, twenty thousand at once."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import uvloop

from services.kit.db import Database, Transaction
from services.kit.timers import Dispatcher, Timer, arm
from tests.bench.report import Report, percentile, quick
from tests.bench.stack import stack

RATE = 1_000
BURST = 20_000
DISPATCHERS = 2
ARM_LEAD = timedelta(seconds=3)

_BULK = """
INSERT INTO kefu_timers (owner_kind, owner_id, kind, site, generation, due_at, fire_at)
SELECT 'later', n::text, 'first_response', 'desk', 1, d, d
FROM generate_series(1, $1::int) n, LATERAL (SELECT kefu_now() + interval '2 h' + random() * interval '1 day' AS d) x
"""


@dataclass
class Watch:
    """What fired, and how late by the database's clock when its effect was committed."""

    database: Database
    late: list[float] = field(default_factory=list)
    fired: dict[str, int] = field(default_factory=dict)

    async def fire(self, timers: list[Timer], tx: Transaction) -> None:
        """Store the effect as a service would: one row per timer, in the claiming transaction."""
        await tx.execute("INSERT INTO fired (owner_id) SELECT unnest($1::text[])", [timer.owner_id for timer in timers])
        tx.after_commit(lambda: self.note(timers))

    def note(self, timers: list[Timer]) -> None:
        """Count committed timers."""
        now = self.database.clock.now()
        self.late += [(now - timer.due_at).total_seconds() * 1_000 for timer in timers]
        for timer in timers:
            self.fired[timer.owner_id] = self.fired.get(timer.owner_id, 0) + 1


async def main() -> int:
    """Run all three and report."""
    armed, seconds = (100_000, 10) if quick() else (1_000_000, 60)
    report = Report("timers")
    async with stack() as running:
        database = running.database
        await database.execute("CREATE TABLE fired (owner_id text PRIMARY KEY)")
        began = time.perf_counter()
        await _bulk(database, armed)
        report.add("armed in the table", armed, "timers", note=f"in {time.perf_counter() - began:.1f} s")
        watch = Watch(database)
        works = [asyncio.create_task(Dispatcher(database, {"bench": watch.fire}).run()) for _ in range(DISPATCHERS)]
        await _steady(database, watch, seconds, report)
        await _burst(database, watch, report)
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        stored = await database.fetchval("SELECT count(*) FROM fired")
    expected = RATE * seconds + BURST
    report.add("lost", expected - stored, "timers", at_most=0)
    report.add("fired twice", sum(n - 1 for n in watch.fired.values()), "timers", at_most=0)
    return 0 if report.finish() else 1


async def _bulk(database: Database, number: int) -> None:
    for _ in range(0, number, 50_000):
        async with database.transaction() as tx:
            offset = await tx.fetchval("SELECT count(*) FROM kefu_timers")
            await tx.execute(_BULK.replace("n::text", f"(n + {offset})::text"), 50_000)
    await database.execute("ANALYZE kefu_timers")


async def _steady(database: Database, watch: Watch, seconds: int, report: Report) -> None:
    start = database.clock.now() + ARM_LEAD + timedelta(seconds=1)
    for second in range(seconds):
        dues = [start + timedelta(seconds=second + n / RATE) for n in range(RATE)]
        await _arm(database, f"steady-{second}", dues)
        ahead = (start + timedelta(seconds=second) - database.clock.now() - ARM_LEAD).total_seconds()
        await asyncio.sleep(max(0.0, ahead))
    await _until(watch, RATE * seconds)
    report.add("due a second, for", seconds, "s", note=f"{RATE}/s armed three seconds ahead, {DISPATCHERS} dispatchers")
    report.add("lateness p50", percentile(watch.late, 0.5), "ms")
    report.add("lateness p99", percentile(watch.late, 0.99), "ms", at_most=100)
    report.add("lateness worst", max(watch.late), "ms")


async def _burst(database: Database, watch: Watch, report: Report) -> None:
    before = len(watch.fired)
    due = database.clock.now() + timedelta(seconds=8)
    for part in range(0, BURST, RATE):
        await _arm(database, f"burst-{part}", [due] * RATE)
    assert database.clock.now() < due, "arming took too long"
    watch.late.clear()
    await _until(watch, before + BURST)
    report.add(f"{BURST} due at once, drained in", max(watch.late) / 1_000, "s", at_most=1.0)


async def _arm(database: Database, name: str, dues: list[datetime]) -> None:
    for start in range(0, len(dues), 100):  # as a hundred group-committed commands would
        timers = [
            Timer("bench", f"{name}-{start + n}", "first_response", "desk", 1, due)
            for n, due in enumerate(dues[start : start + 100])
        ]
        async with database.transaction() as tx:
            await arm(tx, timers)


async def _until(watch: Watch, number: int) -> None:
    limit = time.perf_counter() + 30
    while len(watch.fired) < number and time.perf_counter() < limit:  # noqa: ASYNC110 - what is lost is reported
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
