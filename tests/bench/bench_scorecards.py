"""`make bench-sampling` (scorecards): everybody's scorecard of a month from ten million observations, and again.

Observations are written by SQL as a month's events leave them (evenly over people and days, every fact); what is
measured is the command that the service runs: counting what is stale, computing, writing.
"""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import uvloop

from services.kit.db import Database
from services.kit.embedded import EmbeddedPostgres
from services.kit.testing.postgres import Databases
from services.policy.desk import SiteProfiles
from services.policy.versions import Profiles
from services.qa.commands.scorecards import Scorecards
from services.qa.domain.period import parse
from tests.bench.report import Report, quick

SITE: Final = "online-desk"
ROOT: Final = Path(__file__).resolve().parents[2]
PEOPLE: Final = 100 if quick() else 2_000
OBSERVATIONS: Final = 100_000 if quick() else 10_000_000
DAYS: Final = 30
NEW: Final = OBSERVATIONS // DAYS // 100
PERIOD: Final = parse("2026-09")
FIRST_LIMIT_S: Final = 30.0
AGAIN_LIMIT_S: Final = 3.0
_OBSERVE: Final = """
INSERT INTO observations (site, day, person, fact, value, at, object, event_id)
SELECT $1, day, 'p' || (n % $3::int), fact,
    CASE fact WHEN 'rating' THEN 1 + n % 5 WHEN 'online' THEN 2700 WHEN 'reopened' THEN 1 ELSE 5 + n % 60 END,
    day + make_interval(secs => n % 86400), 'sites/s/conversations/' || n, 'e-' || n
FROM generate_series($4::bigint, $4::bigint + $2::bigint - 1) n,
    LATERAL (SELECT $5::date + ((n / $3::int) % $6::int)::int AS day,
        (ARRAY['first_response', 'reply_gap', 'received', 'handled', 'rating', 'reply_gap', 'online', 'reply_gap',
            'first_response_late', 'reopened'])[1 + ((n / ($3::int * $6::int)) % 10)::int] AS fact) AS f
"""
_STALE: Final = """
INSERT INTO stale_days (site, day) SELECT $1, $2::date + n FROM generate_series(0, $3::int - 1) n
"""


async def main() -> int:
    """Run and report; 1 where a limit was missed."""
    report = Report("scorecards")
    folder = Path(tempfile.mkdtemp(prefix="kefu-bench-"))
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    try:
        first, again = await measure(Databases(server))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    note = f"{PEOPLE} people, {OBSERVATIONS} observations"
    report.add("scorecards of a month, first time", first, "s", at_most=FIRST_LIMIT_S, note=note)
    report.add("again, with a day's new ones", again, "s", at_most=AGAIN_LIMIT_S, note=f"{NEW} observations more")
    report.add("peak memory of the process", peak, "MiB")
    return 0 if report.finish() else 1


async def measure(databases: Databases) -> tuple[float, float]:
    """Seconds of the first run, and of the one after new observations came."""
    database = Database((await databases.clone("qa"))["qa"], "qa", size=2)
    await database.open()
    profiles = Profiles(ROOT / "charts" / "kefu" / "profiles")
    commands = Scorecards(SiteProfiles(lambda: profiles.current))
    try:
        await observe(database, OBSERVATIONS, begin=0, first_day=0, days=DAYS)
        await database.execute("ANALYZE observations")
        first = await timed(database, commands)
        await observe(database, NEW, begin=OBSERVATIONS, first_day=DAYS - 1, days=1)
        return first, await timed(database, commands)
    finally:
        await database.close()


async def observe(database: Database, count: int, *, begin: int, first_day: int, days: int) -> None:
    """Observations of some days, and their marks."""
    day = PERIOD.first.replace(day=PERIOD.first.day + first_day)
    async with database.transaction(sites=[SITE]) as tx:
        for start in range(0, count, 1_000_000):
            some = min(1_000_000, count - start)
            await tx.connection.execute(_OBSERVE, SITE, some, PEOPLE, begin + start, day, days, timeout=600)
        await tx.execute(_STALE, SITE, day, days)


async def timed(database: Database, commands: Scorecards) -> float:
    """Seconds that computing the month takes."""
    began = time.perf_counter()
    async with database.transaction(sites=[SITE]) as tx:
        done = await commands.compute(tx, SITE, PERIOD, actor="bench")
    seconds = time.perf_counter() - began
    assert done == PEOPLE, f"{done} scorecards for {PEOPLE} people"
    return seconds


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
