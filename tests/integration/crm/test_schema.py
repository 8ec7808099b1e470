"""The walls that the database itself keeps, whatever a command does."""

from __future__ import annotations

import asyncpg
import pytest

from services.kit.db import Database

SERVICES = ("crm",)
LOT = """
INSERT INTO point_lots (site, lot_id, customer_id, cause, reference, issued, pending, active, spent, expired, reversed,
    active_at, expires_at)
VALUES ('shop', $1, 'c', $2, $3, $4, 0, $5, 0, 0, 0, now(), now() + interval '1 year')
"""
ENTRY = """
INSERT INTO point_entries (site, customer_id, lot_id, from_account, to_account, points, cause, reference, actor, at)
VALUES ('shop', 'c', 'l', 'ISSUED', 'ACTIVE', 5, 'CAMPAIGN', 'r', 'ann', now())
"""
CUSTOMER = """
INSERT INTO customers (site, customer_id, state, merged_into, root, created_at) VALUES ('shop', $1, $2, $3, $4, now())
"""
GRANT = """
INSERT INTO unmask_grants (site, grant_id, customer_id, state, requester, decider, reason, requested_at)
VALUES ('shop', $1, 'c', 'GRANTED', 'ann', $2, 'call back', now())
"""


async def test_a_lot_always_adds_up(database: Database) -> None:
    await database.execute(LOT, "good", "PURCHASE", "o1", 10, 10)
    for active in (9, 11):
        with pytest.raises(asyncpg.CheckViolationError):
            await database.execute(LOT, f"bad{active}", "PURCHASE", "o2", 10, active)


async def test_a_grant_of_points_happens_once_and_purchases_come_in_parts(database: Database) -> None:
    await database.execute(LOT, "g1", "COMPENSATION", "case-1", 5, 5)
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.execute(LOT, "g2", "COMPENSATION", "case-1", 5, 5)
    for number in range(2):
        await database.execute(LOT, f"p{number}", "PURCHASE", "o9", 5, 5)


async def test_the_ledger_and_the_history_of_consent_are_append_only(database: Database) -> None:
    await database.execute(ENTRY)
    for statement in (
        "UPDATE point_entries SET points = 6",
        "DELETE FROM point_entries",
        "DELETE FROM consent_history",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await database.execute(statement)


async def test_a_merged_customer_names_where_it_went(database: Database) -> None:
    await database.execute(CUSTOMER, "stays", "ACTIVE", None, "stays")
    await database.execute(CUSTOMER, "goes", "MERGED", "stays", "stays")
    for state, into, root in (("ACTIVE", None, "stays"), ("MERGED", None, "odd"), ("ACTIVE", "stays", "stays")):
        with pytest.raises(asyncpg.CheckViolationError):
            await database.execute(CUSTOMER, "odd", state, into, root)


async def test_nobody_grants_their_own_unmasking(database: Database) -> None:
    await database.execute(GRANT, "g1", "bob")
    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute(GRANT, "g2", "ann")
