from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.domain import points
from services.crm.domain.points import Lot, TooFewError, Transfer

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def lot(number: int, issued: int, active_day: int, life: int) -> Lot:
    active_at = START + active_day * DAY
    return Lot(f"l{number}", "c", "PURCHASE", f"o{number}", issued, active_at, active_at + life * DAY)


class Account:
    """An account that posts whatever the rules say, and checks conservation after each step."""

    def __init__(self) -> None:
        self.lots: dict[str, Lot] = {}
        self.owed = 0

    def post(self, transfers: list[Transfer]) -> None:
        for one in transfers:
            self.lots[one.lot] = points.posted(self.lots[one.lot], [one])

    def bring(self, new: Lot, now: datetime) -> None:
        transfers, self.owed = points.issue(new, owed=self.owed, now=now)
        self.lots[new.id] = points.posted(new, transfers)


steps = st.lists(
    st.tuples(st.sampled_from(["earn", "redeem", "reverse", "wait"]), st.integers(1, 400), st.integers(0, 40)),
    max_size=40,
)


@given(steps)
def test_whatever_happens_no_point_is_lost_made_up_or_below_zero(what: list[tuple[str, int, int]]) -> None:
    account, now, issued = Account(), START, 0
    for number, (step, amount, days) in enumerate(what):
        account.post(points.due(account.lots.values(), now))
        active = sum(one.active for one in account.lots.values())
        if step == "earn":
            account.bring(lot(number, amount, (now - START).days + days % 7, 30), now)
            issued += amount
        elif step == "redeem" and amount <= active:
            account.post(points.redeem(list(account.lots.values()), amount))
            assert sum(one.active for one in account.lots.values()) == active - amount
        elif step == "redeem":
            with pytest.raises(TooFewError) as refused:
                points.redeem(list(account.lots.values()), amount)
            assert refused.value.available == active
        elif step == "reverse":
            before = list(account.lots.values())
            transfers, short, gone = points.reverse(before, amount, owing=account.owed)
            account.post(transfers)
            assert sum(one.points for one in transfers) + short + gone <= amount
            account.owed += short
            assert account.owed <= max(sum(one.spent for one in before), account.owed - short)
        else:
            now += days * DAY
        assert all(one.balanced for one in account.lots.values())
        assert sum(one.issued for one in account.lots.values()) == issued
        assert account.owed >= 0


def test_the_lot_that_expires_first_is_spent_first() -> None:
    lots = [dataclasses.replace(lot(n, 10, 0, life), active=10) for n, life in ((1, 90), (2, 30), (3, 60))]
    assert [(one.lot, one.points) for one in points.redeem(lots, 15)] == [("l2", 10), ("l3", 5)]


def test_pending_points_become_active_and_expired_ones_go() -> None:
    waiting = dataclasses.replace(lot(1, 10, 7, 30), pending=10)
    assert points.due([waiting], START + 6 * DAY) == []
    assert points.due([waiting], START + 7 * DAY) == [Transfer("l1", "PENDING", "ACTIVE", 10)]
    assert points.due([waiting], START + 37 * DAY) == [Transfer("l1", "PENDING", "EXPIRED", 10)]


def test_points_of_returned_goods_that_were_spent_are_owed_and_settled_by_the_next_ones() -> None:
    spent = dataclasses.replace(lot(1, 10, 0, 30), active=4, spent=6)
    transfers, short, gone = points.reverse([spent], 10)
    assert transfers == [Transfer("l1", "ACTIVE", "REVERSED", 4)]
    assert (short, gone) == (6, 0)
    transfers, owed = points.issue(lot(2, 20, 0, 30), owed=short, now=START)
    assert points.posted(lot(2, 20, 0, 30), transfers).active == 14
    assert owed == 0


def test_a_transfer_that_would_leave_an_account_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="does not add up"):
        points.posted(dataclasses.replace(lot(1, 10, 0, 30), active=10), [Transfer("l1", "ACTIVE", "SPENT", 11)])
