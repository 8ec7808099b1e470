"""Whole files: each row once or refused with a reason; tiers as an independent computation has them."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from services.crm.commands.imports import Import
from services.crm.files.mapping import Mapping, MappingError
from services.crm.files.orders import OrderFile, identity
from services.crm.profiles import SiteProfiles
from services.crm.queries.report import report
from services.crm.store.imports import Progress
from services.kit.db import Database
from services.kit.testing.postgres import Databases
from services.policy.versions import Profiles
from tests.integration.crm.conftest import PROFILES, parts_of

SERVICES = ("crm",)
SITE = "taobao-shop"
SHARED = Path(os.environ.get("KEFU_SHARED", Path(__file__).resolve().parents[3].parent / "shared"))
RETAIL = SHARED / "data" / "online_retail.csv.gz"
MAPPING = Mapping.parse(
    "order=InvoiceNo,time=InvoiceDate,quantity=Quantity,price=UnitPrice,buyer=CustomerID,product=StockCode,"
    "currency=GBP,return_prefix=C"
)
HEADING = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


@dataclass
class Importer:
    """Imports files into one database."""

    database: Database
    parts: Any

    async def run(self, path: Path, *, batch: int = 20_000, mapping: Mapping = MAPPING) -> tuple[Progress, list[Any]]:
        """Import a file whole."""
        profile = self.parts.profiles.at(SITE, datetime.now(UTC))
        taken = Import(
            self.database,
            self.parts.orders,
            self.parts.tiers,
            self.parts.profiles,
            site=SITE,
            source="SHOP",
            import_id=identity(path, mapping),
            actor="test",
        )
        file = OrderFile(path, mapping, profile.timezone)
        try:
            return await taken.run(file, path.name, progress=lambda: None, batch=batch), await taken.refusals()
        finally:
            file.close()


@pytest.fixture
def importer(database: Database, profiles: SiteProfiles, tmp_path: Path) -> Importer:
    return Importer(database, parts_of(database, profiles, tmp_path))


def write(path: Path, *rows: str) -> Path:
    """A gzipped file of the real one's form."""
    path.write_bytes(gzip.compress((HEADING + "\n".join(rows) + "\n").encode()))
    return path


async def _stored(database: Database) -> tuple[int, int]:
    """Order lines and customers that the tests of this file have stored so far."""
    lines = await database.fetchval("SELECT count(*) FROM order_lines")
    return lines, await database.fetchval("SELECT count(*) FROM customers")


async def test_a_file_goes_in_once_however_often_and_however_interrupted(
    importer: Importer, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        f"{order},P{line},THING,2,2011-12-0{1 + order % 8} 08:26:00,1.125,{order % 3}7.0,UK"
        for order in range(8)
        for line in range(5)
    ]
    rows += ["8,P1,THING,x,2011-12-01 08:26:00,1,1.0,UK", "9,P1,THING,1,2011-12-01 08:26:00,-1,1.0,UK", "short"]
    path = write(tmp_path / "orders.csv.gz", *rows)
    lines, people = await _stored(database)
    stored = importer.parts.orders.record
    calls = 0

    async def fails_once(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise RuntimeError("power cut")
        return await stored(*arguments, **named)

    monkeypatch.setattr(importer.parts.orders, "record", fails_once)
    with pytest.raises(RuntimeError):
        await importer.run(path, batch=10)
    assert await _stored(database) == (lines + 20, people + 3)
    done, refused = await importer.run(path, batch=10)
    assert (done.rows_done, done.stored, done.repeated, done.refused) == (43, 40, 0, 3)
    assert refused == [(41, "NOT_READABLE"), (42, "AMOUNT_NEGATIVE"), (43, "NOT_READABLE")]
    again, _ = await importer.run(path)
    assert again == done
    head = await database.fetchrow("SELECT sales_fen FROM orders WHERE order_id = '0'")
    assert head is not None
    assert head["sales_fen"] == 5 * round(225 * 9.2)
    assert await _stored(database) == (lines + 40, people + 3)
    # the same rows under another name of the file's bytes are the same lines
    other, _ = await importer.run(write(tmp_path / "other.csv.gz", *rows[:10], ""))
    assert (other.stored, other.repeated) == (0, 10)


async def test_a_monstrous_field_is_refused_with_its_row_and_not_the_file(importer: Importer, tmp_path: Path) -> None:
    tail = ",2,2011-12-01 08:26:00,1.00,17.0,UK"
    rows = [f"a1,P1,THING{tail}", f"a2,{'P' * 1_000_000},THING{tail}", f"a3,P1,{'T' * 1_000_000}{tail}"]
    done, refused = await importer.run(write(tmp_path / "orders.csv.gz", *rows))
    assert (done.stored, refused) == (2, [(2, "PRODUCT_TOO_LONG")])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("order=A", "lacks time, quantity, price"),
        ("order:A", "FIELD=COLUMN"),
        ("orders=A", "'orders=A'"),
        ("order=A,time=B,quantity=C,price=D", "has no column A, B, C, D; it has InvoiceNo"),
    ],
)
async def test_a_mapping_that_cannot_be_used_says_what_to_write(
    importer: Importer, tmp_path: Path, text: str, match: str
) -> None:
    with pytest.raises(MappingError, match=match):
        await importer.run(write(tmp_path / "any.csv.gz"), mapping=Mapping.parse(text))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not RETAIL.exists(), reason=f"needs {RETAIL}, which is test input only")
async def test_a_real_history_goes_in_whole_and_its_tiers_are_those_of_an_independent_computation(
    databases: Databases, tmp_path: Path
) -> None:
    profiles = in_2011(tmp_path)
    urls = await databases.clone("crm", virtual=datetime(2011, 12, 10, 4, tzinfo=UTC))
    database = Database(urls["crm"], "crm")
    await database.open()
    try:
        await whole_file(Importer(database, parts_of(database, profiles, tmp_path)), profiles)
    finally:
        await database.close()


async def whole_file(importer: Importer, profiles: SiteProfiles) -> None:
    """Import it and compare with what DuckDB says."""
    database = importer.database
    done, refused = await importer.run(RETAIL)
    assert done.rows_done == 541_909
    rules = Counter(rule for _, rule in refused)
    assert done.stored == 541_909 - sum(rules.values())
    assert set(rules) == {"QUANTITY_NOT_POSITIVE", "AMOUNT_NEGATIVE"}
    assert rules["QUANTITY_NOT_POSITIVE"] == count("Quantity <= 0 AND NOT starts_with(InvoiceNo, 'C')")
    assert await database.fetchval("SELECT count(*) FROM order_lines WHERE customer_id IS NULL") == count(
        "CustomerID IS NULL AND (Quantity > 0 OR starts_with(InvoiceNo, 'C')) AND UnitPrice >= 0"
    )
    ours = await tiers_of(importer)
    theirs = independent(date(2011, 12, 10))
    assert len(theirs) == 4_372
    assert ours == theirs
    assert set(Counter(ours.values())) == {"VIP", "CORE", "ORDINARY"}
    profile = profiles.at(SITE, datetime(2011, 12, 10, tzinfo=UTC))
    found = await report(database, profile, first_day=date(2011, 6, 1), last_day=date(2011, 12, 9))
    rates = ask(f"""
        WITH days AS (SELECT DISTINCT CustomerID AS c, InvoiceDate::DATE AS d FROM {retail()}
                      WHERE CustomerID IS NOT NULL AND NOT starts_with(InvoiceNo, 'C') AND Quantity > 0),
             buyers AS (SELECT c, count(*) AS n FROM days WHERE d >= '2011-06-01' GROUP BY c)
        SELECT avg((n > 1)::INT), avg((c IN (SELECT c FROM days WHERE d < '2011-06-01'))::INT) FROM buyers
    """)[0]
    shares = (found.indicators.repurchase_rate, found.indicators.returning_share)
    assert [share and share.estimate for share in shares] == pytest.approx(rates)
    assert sum(found.lifecycles.values()) == sum(found.by_rule.values()) == found.buyers
    assert found.lifecycles["LOST"] > 0


def ask(question: str) -> list[tuple[Any, ...]]:
    """What DuckDB answers."""
    found = duckdb.sql(question)
    assert found is not None
    return found.fetchall()


def retail() -> str:
    """The file as DuckDB reads it."""
    return (
        f"read_csv('{RETAIL}', types={{'CustomerID': 'VARCHAR', 'InvoiceNo': 'VARCHAR', 'UnitPrice': 'DECIMAL(18,4)'}})"
    )


def count(condition: str) -> int:
    """Rows of the file that meet a condition."""
    return int(ask(f"SELECT count(*) FROM {retail()} WHERE {condition}")[0][0])


def independent(today: date) -> dict[str, str]:
    """The tier of each customer by the shop's own bars, computed without a line of ours."""
    within = f"d > DATE '{today}' - INTERVAL 1 YEAR"
    rows = ask(f"""
        WITH lines AS (
            SELECT CustomerID AS c, InvoiceNo AS o, InvoiceDate::DATE AS d, starts_with(InvoiceNo, 'C') AS back,
                   round(round(abs(Quantity) * UnitPrice * 100, 0) * 9.2, 0)::BIGINT AS fen
            FROM {retail()}
            WHERE CustomerID IS NOT NULL AND UnitPrice >= 0 AND (Quantity > 0 OR starts_with(InvoiceNo, 'C'))
        ), measures AS (
            SELECT c,
                   sum(CASE WHEN back THEN -fen ELSE fen END) FILTER (WHERE {within}) AS spend,
                   count(DISTINCT o) FILTER (WHERE NOT back AND {within}) AS orders,
                   count(DISTINCT d) FILTER (WHERE NOT back AND {within}) AS days
            FROM lines GROUP BY c
        )
        SELECT replace(c, '.0', ''), CASE WHEN spend >= 1000000 AND orders >= 12 AND days >= 24 THEN 'VIP'
                                         WHEN spend >= 200000 AND orders >= 4 AND days >= 8 THEN 'CORE'
                                         ELSE 'ORDINARY' END
        FROM measures
    """)
    return dict(rows)


async def tiers_of(importer: Importer) -> dict[str, str]:
    """Every customer's tier by their id in the file."""
    async with importer.database.transaction(sites=[SITE], read_only=True) as tx:
        customers = [row["customer_id"] for row in await tx.fetch("SELECT customer_id FROM customers")]
        identities = await importer.parts.identities.of(tx, SITE, customers)
        held = {row["customer_id"]: row["tier"] for row in await tx.fetch("SELECT customer_id, tier FROM standings")}
    return {one.external_id: held.get(one.customer, "ORDINARY") for one in identities}


def in_2011(folder: Path) -> SiteProfiles:
    """The shop's profile as if it had been in force in 2011, in the zone of the file."""
    text = (PROFILES / "taobao-shop.yaml").read_text(encoding="utf-8")
    moved = text.replace("effective_from: 2026-01-01", "effective_from: 2010-01-01").replace(
        "timezone: Asia/Shanghai", "timezone: Europe/London"
    )
    assert moved.count("2010-01-01") >= 1
    (folder / "profiles").mkdir()
    (folder / "profiles" / "taobao-shop.yaml").write_text(moved, encoding="utf-8")
    read = Profiles(folder / "profiles")
    return SiteProfiles(lambda: read.current)
