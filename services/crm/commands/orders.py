"""Recording what was bought and sent back, in whatever order it is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from services.crm.commands.ledger import Ledger
from services.crm.commands.tiers import Tiers
from services.crm.domain.orders import SALE, Lines, Rates, faults, fen
from services.crm.domain.rules import rates
from services.crm.profiles import SiteProfiles
from services.crm.store import orders, standings
from services.crm.store.identities import IdentityStore
from services.crm.store.orders import Head, Worth
from services.kit.db import Transaction

LINE_CHANGED: Final = "LINE_CHANGED"

DayOf = Callable[[datetime], date]
"""The day at the site on which an instant falls."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of the lines: `refused` are positions with the rule that each broke."""

    stored: int
    repeated: int
    refused: tuple[tuple[int, str], ...]


class Orders:
    """Takes lines over: heads, days, points and tiers follow in the same transaction."""

    def __init__(self, identities: IdentityStore, profiles: SiteProfiles, ledger: Ledger, tiers: Tiers) -> None:
        self._identities = identities
        self._profiles = profiles
        self._ledger = ledger
        self._tiers = tiers

    async def record(
        self, tx: Transaction, site: str, source: str, lines: Lines, *, actor: str, judge: bool = True
    ) -> Recorded:
        """Store lines, each once. `judge=False` leaves tiers to a recomputation that follows a whole file."""
        profile = self._profiles.at(site, tx.now)
        places, repeated, refused = _sorted_out(lines, rates(profile), tx)
        chosen = set(places)
        good = (
            lines if len(places) == len(lines.order) else lines.only([at in chosen for at in range(len(lines.order))])
        )
        worth = await self._worth(tx, site, source, good, rates(profile))
        fresh = await orders.add(tx, site, source, worth)
        if not all(fresh):
            known = worth.only([not new for new in fresh])
            same = await orders.same(tx, site, source, known)
            there = [place for place, new in zip(places, fresh, strict=True) if not new]
            refused += [(place, LINE_CHANGED) for at, place in enumerate(there) if at not in same]
            repeated += len(same)
            worth = worth.only(fresh)
        changed = await self._add_up(tx, site, source, worth, profile.timezone, actor=actor)
        if judge and changed:
            await self._tiers.judge(tx, site, changed)
        return Recorded(len(worth.settles), repeated, tuple(sorted(refused)))

    async def _worth(self, tx: Transaction, site: str, source: str, good: Lines, known: Rates) -> Worth:
        stripped = {buyer: buyer.strip() for buyer in set(good.buyer)}
        buyers = sorted({*stripped.values()} - {""})
        owners = await self._identities.find_or_add(tx, site, source, buyers) if buyers else {}
        owner = {buyer: owners.get(name) for buyer, name in stripped.items()}
        worth = cache(lambda amount, currency: fen(amount, known[currency]))
        return Worth(
            good,
            [owner[buyer] for buyer in good.buyer],
            list(map(worth, good.amount, good.currency)),
            [named or order for named, order in zip(good.refund_of, good.order, strict=True)],
        )

    async def _add_up(
        self, tx: Transaction, site: str, source: str, fresh: Worth, zone: ZoneInfo, *, actor: str
    ) -> set[str]:
        """Bring heads, days and points up to date; returns the customers concerned."""
        lines = defaultdict[str, list[int]](list)
        for at, order in enumerate(fresh.settles):
            lines[order].append(at)
        if not lines:
            return set()
        before = await orders.lock_heads(tx, site, source, sorted(lines))
        day_of = cache(lambda at: at.astimezone(zone).date())
        days = _spending(fresh, day_of)
        after = [added(before[order], fresh, places) for order, places in lines.items()]
        for head in after:
            for customer, day, number in _order_days(before[head.order], head, day_of):
                days[customer, day][1] += number
        settled = await self._ledger.settle(tx, site, source, after, actor=actor)
        await orders.put_heads(tx, site, source, settled)
        await standings.add_days(tx, site, {key: (s, o, v) for key, (s, o, v) in days.items()})
        return {customer for customer, _ in days}


def added(head: Head, lines: Worth, places: Sequence[int]) -> Head:
    """An order with the lines at these places more; its buyer is the first who was known."""
    kind, at, worth = lines.lines.kind, lines.lines.at, lines.fen
    sales = [place for place in places if kind[place] == SALE]
    back = [place for place in places if kind[place] != SALE]
    return replace(
        head,
        customer=head.customer or next((lines.customer[place] for place in places if lines.customer[place]), None),
        first_at=min([*filter(None, [head.first_at]), *(at[place] for place in sales)], default=None),
        returned_at=max([*filter(None, [head.returned_at]), *(at[place] for place in back)], default=None),
        sales_fen=head.sales_fen + sum(worth[place] for place in sales),
        returned_fen=head.returned_fen + sum(worth[place] for place in back),
        unnamed_fen=head.unnamed_fen + sum(worth[place] for place in back if not lines.lines.refund_of[place]),
    )


def _spending(fresh: Worth, day_of: DayOf) -> defaultdict[tuple[str, date], list[int]]:
    """Spending (fen) of each customer's days, with no orders and no visits yet."""
    days = defaultdict[tuple[str, date], list[int]](lambda: [0, 0, 0])
    for customer, at, kind, worth in zip(
        fresh.customer, map(day_of, fresh.lines.at), fresh.lines.kind, fresh.fen, strict=True
    ):
        if customer is not None:
            days[customer, at][0] += worth if kind == SALE else -worth
    return days


def _order_days(before: Head, after: Head, day_of: DayOf) -> Iterable[tuple[str, date, int]]:
    """On which day of whom an order counts now, and no longer does: earlier lines may come later."""
    was, becomes = _order_day(before, day_of), _order_day(after, day_of)
    if was == becomes:
        return
    if was is not None:
        yield *was, -1
    if becomes is not None:
        yield *becomes, 1


def _order_day(head: Head, day_of: DayOf) -> tuple[str, date] | None:
    if head.customer is None or head.first_at is None:
        return None
    return head.customer, day_of(head.first_at)


def _sorted_out(lines: Lines, known: Rates, tx: Transaction) -> tuple[list[int], int, list[tuple[int, str]]]:
    """Places of good lines, how many say the same again, and those that break a rule."""
    broken = faults(lines, known, tx.now)
    refused, repeated = list(broken.items()), 0
    first: dict[tuple[str, str], int] = {}
    for at, key in enumerate(zip(lines.order, lines.line, strict=True)):
        if at in broken or (earlier := first.setdefault(key, at)) == at:
            continue
        if all(column[earlier] == column[at] for column in lines):
            repeated += 1
        else:
            refused.append((at, LINE_CHANGED))
    return list(first.values()), repeated, refused
