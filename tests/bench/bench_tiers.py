"""`make bench-tiers`: tiering a million customers, a purchase at that size, a real file, and the ledger of points.

Parts by name: `python -m tests.bench.bench_tiers tiers orders ledger`; all without one. Stored rows are written by SQL
in the shape that a year leaves behind; everything measured goes through the commands that the service runs.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final

import asyncpg
import uvloop
from prometheus_client import CollectorRegistry

from services.crm.app import Parts
from services.crm.commands.imports import Import
from services.crm.commands.tiers import recompute
from services.crm.domain.orders import SALE, Line, Lines
from services.crm.files.mapping import Mapping as Columns
from services.crm.files.orders import OrderFile, identity
from services.crm.metrics import CrmMetrics
from services.crm.profiles import SiteProfiles
from services.crm.queries.audit import audit
from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.embedded import EmbeddedPostgres
from services.kit.errors import FailedPrecondition, ResourceExhausted
from services.kit.telemetry.metrics import Metrics
from services.kit.testing.postgres import Databases
from services.policy.versions import Profiles
from tests.bench.report import Report, quick

SITE: Final = "taobao-shop"
ROOT: Final = Path(__file__).resolve().parents[2]
RETAIL: Final = Path(os.environ.get("KEFU_SHARED", ROOT.parent / "shared")) / "data" / "online_retail.csv.gz"
CUSTOMERS: Final = 20_000 if quick() else 1_000_000
ORDERS_EACH: Final = 10
LOTS: Final = 50_000 if quick() else 2_500_000
PURCHASES: Final = 50 if quick() else 500
COLUMNS: Final = Columns.parse(
    "order=InvoiceNo,time=InvoiceDate,quantity=Quantity,price=UnitPrice,buyer=CustomerID,product=StockCode,"
    "currency=GBP,return_prefix=C"
)
_CUSTOMERS: Final = """
INSERT INTO customers (site, customer_id, state, root, created_at)
SELECT $1, id, 'ACTIVE', id, now() FROM generate_series(0, $2::int - 1) n, lpad(to_hex(n), 12, '0') AS id
"""
# An order a day on ten days of the last 400, spending skewed: a few buy much.
_DAYS: Final = """
INSERT INTO customer_days (site, customer_id, day, spend_fen, orders)
SELECT $1, lpad(to_hex(n), 12, '0'), current_date - 40 * k - ((n * 7 + k * 13) % 40)::int,
    (100 + (n * 7919 + k * 104729) % 20000) * (CASE WHEN n % 50 = 0 THEN 10 ELSE 1 END), 1
FROM generate_series(0, $2::bigint - 1) n, generate_series(0, $3::int - 1) k
"""
_LOTS: Final = """
INSERT INTO point_lots (site, lot_id, customer_id, cause, reference, issued, pending, active, spent, expired, reversed,
    active_at, expires_at)
SELECT $1, 'l' || n, 'c' || n % 100000, 'PURCHASE', 'o' || n, 100, 0, 70, 20, 0, 10, now(), now() + interval '1 year'
FROM generate_series(1, $2::int) n
"""
_ENTRIES: Final = """
INSERT INTO point_entries (site, customer_id, lot_id, from_account, to_account, points, cause, reference, actor, at)
SELECT $1, 'c' || n % 100000, 'l' || n, f, t, p, 'PURCHASE', 'o' || n, 'bench', now()
FROM generate_series(1, $2::int) n, (VALUES ('ISSUED', 'PENDING', 100), ('PENDING', 'ACTIVE', 100),
    ('ACTIVE', 'SPENT', 20), ('ACTIVE', 'REVERSED', 10)) AS v (f, t, p)
"""


@asynccontextmanager
async def crm(virtual: datetime | None = None) -> AsyncIterator[tuple[Database, Parts, str]]:
    """A database of its own with crm's schema, durable as in production, and crm's commands on it."""
    folder = Path(tempfile.mkdtemp(prefix="kefu-bench-"))
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    try:
        url = (await Databases(server).clone("crm", virtual=virtual))["crm"]
        database = Database(url, "crm", size=16)
        await database.open()
        read = Profiles(ROOT / "charts" / "kefu" / "profiles")
        metrics = CrmMetrics(Metrics.from_catalogue(CollectorRegistry(), owners=["crm"]))
        vault = Vault(Keys.create(folder / "sealing.json", "bench"))
        yield database, Parts(database, vault, SiteProfiles(lambda: read.current), metrics), url
        await database.close()
    finally:
        server.stop(immediate=True)
        shutil.rmtree(folder, ignore_errors=True)


async def fill(url: str, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Write stored rows, then let the tables settle as autovacuum would have."""
    connection = await asyncpg.connect(url, server_settings={"search_path": "crm", "kefu.sites": "*"})
    await connection.execute("SET synchronous_commit = off")
    try:
        for statement, arguments in statements:
            await connection.execute(statement, *arguments, timeout=900)
        await connection.execute("VACUUM ANALYZE", timeout=900)
    finally:
        await connection.close()


async def tiers() -> bool:
    """Everybody at once, then one purchase after the other."""
    report = Report("tiers")
    async with crm() as (database, parts, url):
        await fill(url, (_CUSTOMERS, (SITE, CUSTOMERS)), (_DAYS, (SITE, CUSTOMERS, ORDERS_EACH)))
        profile = parts.profiles.at(SITE, database.clock.now())
        size = f"{CUSTOMERS:,} customers, {CUSTOMERS * ORDERS_EACH:,} orders"
        for what in ("first judgement, everybody is new", "again, nobody moves"):
            began = time.perf_counter()
            moved = await recompute(database, parts.tiers, profile)
            seconds = time.perf_counter() - began
            report.add(f"{size}: {what}", seconds, "s", at_most=20, note=f"{moved:,} moves")
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        report.add("memory of the process at its most", held, "MiB", at_most=2048)
        await _purchases(database, parts, report)
    return report.finish()


async def _purchases(database: Database, parts: Parts, report: Report) -> None:
    took = []
    for number in range(PURCHASES):
        line = Line(
            f"b{number}", "1", SALE, f"buyer-{number % 50}", datetime.now(UTC) - timedelta(hours=1), 1, 9900, "CNY"
        )
        began = time.perf_counter()
        async with database.transaction(sites=[SITE]) as tx:
            await parts.orders.record(tx, SITE, "SHOP", Lines.of([line]), actor="bench")
        took.append((time.perf_counter() - began) * 1000)
    took = took[len(took) // 10 :]  # the first ones add the buyers and prepare the statements
    report.add("a purchase with its tier and points, median", statistics.median(took), "ms", at_most=5)
    report.add("a purchase, 99th percentile", statistics.quantiles(took, n=100)[-1], "ms")


async def orders() -> bool:
    """A real file, whole."""
    if not RETAIL.exists():
        print(f"{RETAIL} is not here: the import is not measured")
        return True
    report = Report("orders")
    async with crm() as (database, parts, _):
        profile = parts.profiles.at(SITE, database.clock.now())
        taken = Import(
            database,
            parts.orders,
            parts.tiers,
            parts.profiles,
            site=SITE,
            source="SHOP",
            import_id=identity(RETAIL, COLUMNS),
            actor="bench",
        )
        file = OrderFile(RETAIL, COLUMNS, profile.timezone)
        began = time.perf_counter()
        done = await taken.run(file, RETAIL.name, progress=lambda: None)
        seconds = time.perf_counter() - began
        file.close()
        note = f"{done.rows_done:,} rows in {seconds:.1f} s, tiers included"
        report.add("rows imported", done.rows_done / seconds, "rows/s", at_least=50_000, note=note)
    return report.finish()


async def ledger() -> bool:
    """Two hundred who redeem at once, and an audit of ten million transfers."""
    report = Report("ledger")
    async with crm() as (database, parts, url):
        await _redemptions(database, parts, report)
        await fill(url, (_LOTS, (SITE, LOTS)), (_ENTRIES, (SITE, LOTS)))
        began = time.perf_counter()
        found = await audit(database)
        seconds = time.perf_counter() - began
        assert all(one.balanced for one in found), found
        report.add(f"audit of {sum(one.transfers for one in found):,} transfers", seconds, "s", at_most=30)
    return report.finish()


async def _redemptions(database: Database, parts: Parts, report: Report) -> None:
    async with database.transaction(sites=[SITE]) as tx:
        await tx.execute(_CUSTOMERS, SITE, 1)
        await parts.ledger.grant(tx, SITE, "0" * 12, points=100, cause="CAMPAIGN", reference="b", actor="bench")
    outcomes = {"won": 0, "short": 0}

    async def redeem(number: int) -> None:
        try:
            async with database.transaction(sites=[SITE]) as tx:
                await parts.ledger.redeem(tx, SITE, "0" * 12, points=1, reference=f"r{number}", actor="bench")
            outcomes["won"] += 1
        except FailedPrecondition:
            outcomes["short"] += 1
        except ResourceExhausted:  # waited too long for a connection: nothing was done yet
            await redeem(number)

    began = time.perf_counter()
    await asyncio.gather(*(redeem(number) for number in range(200)))
    seconds = time.perf_counter() - began
    assert outcomes == {"won": 100, "short": 100}, outcomes
    note = "200 at once on one account of 100 points: 100 won, 100 were told that it is empty"
    report.add("redemptions on one account", 200 / seconds, "calls/s", note=note)


PARTS: Final[Mapping[str, Callable[[], Awaitable[bool]]]] = MappingProxyType(
    {"tiers": tiers, "orders": orders, "ledger": ledger}
)


async def main() -> int:
    """The parts that are named, or all; 1 when a figure with a target does not hold."""
    held = [await PARTS[name]() for name in sys.argv[1:] or PARTS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
