"""Recording what was bought and sent back, in whatever order it is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from services.crm.commands.ledger import Ledger
from services.crm.commands.tiers import Tiers
from services.crm.domain.orders import SALE, Line, Rates, fault, fen
from services.crm.domain.rules import rates
from services.crm.profiles import SiteProfiles
from services.crm.store import customers, orders, standings
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
        self, tx: Transaction, site: str, source: str, lines: Sequence[Line], *, actor: str, judge: bool = True
    ) -> Recorded:
        """Store lines, each once. `judge=False` leaves tiers to a recomputation that follows a whole file."""
        profile = self._profiles.at(site, tx.now)
        good, repeated, refused = _sorted_out(lines, rates(profile), tx)
        worth = await self._worth(tx, site, source, good, rates(profile))
        fresh = await orders.add(tx, site, source, list(worth.values()))
        known = [at for at, one in worth.items() if (one.line.order, one.line.line) not in fresh]
        if known:
            same = await orders.same(tx, site, source, [worth[at] for at in known])
            refused += [(at, LINE_CHANGED) for place, at in enumerate(known) if place not in same]
            repeated += len(same)
            old = set(known)
            worth = {at: one for at, one in worth.items() if at not in old}
        changed = await self._add_up(tx, site, source, list(worth.values()), profile.timezone, actor=actor)
        if judge and changed:
            found = await customers.roots(tx, site, sorted(changed))
            await self._tiers.judge(tx, site, found.values())
        return Recorded(len(worth), repeated, tuple(sorted(refused)))

    async def _worth(
        self, tx: Transaction, site: str, source: str, good: Mapping[int, Line], known: Rates
    ) -> dict[int, Worth]:
        buyers = sorted({line.buyer.strip() for line in good.values()} - {""})
        owners = await self._identities.find_or_add(tx, site, source, buyers) if buyers else {}
        worth = cache(lambda amount, currency: fen(amount, known[currency]))
        return {
            at: Worth(
                line,
                owners.get(line.buyer.strip()),
                worth(line.amount, line.currency),
                line.refund_of or line.order,
            )
            for at, line in good.items()
        }

    async def _add_up(
        self, tx: Transaction, site: str, source: str, fresh: Sequence[Worth], zone: ZoneInfo, *, actor: str
    ) -> set[str]:
        """Bring heads, days and points up to date; returns the customers concerned."""
        if not fresh:
            return set()
        before = await orders.lock_heads(tx, site, source, sorted({one.settles for one in fresh}))
        day_of = cache(lambda at: at.astimezone(zone).date())
        lines, days = defaultdict[str, list[Worth]](list), defaultdict[tuple[str, date], list[int]](lambda: [0, 0, 0])
        for one in fresh:
            lines[one.settles].append(one)
            if one.customer is not None:
                days[one.customer, day_of(one.line.at)][0] += one.fen if one.line.kind == SALE else -one.fen
        after = [added(before[order], found) for order, found in lines.items()]
        for head in after:
            for customer, day, number in _order_days(before[head.order], head, day_of):
                days[customer, day][1] += number
        settled = await self._ledger.settle(tx, site, source, after, actor=actor)
        await orders.put_heads(tx, site, source, settled)
        await standings.add_days(tx, site, {key: (s, o, v) for key, (s, o, v) in days.items()})
        return {customer for customer, _ in days}


def added(head: Head, lines: Sequence[Worth]) -> Head:
    """An order with more lines; its buyer is the first who was known."""
    sales = [one for one in lines if one.line.kind == SALE]
    back = [one for one in lines if one.line.kind != SALE]
    return replace(
        head,
        customer=head.customer or next((one.customer for one in lines if one.customer), None),
        first_at=min([*filter(None, [head.first_at]), *(one.line.at for one in sales)], default=None),
        returned_at=max([*filter(None, [head.returned_at]), *(one.line.at for one in back)], default=None),
        sales_fen=head.sales_fen + sum(one.fen for one in sales),
        returned_fen=head.returned_fen + sum(one.fen for one in back),
        unnamed_fen=head.unnamed_fen + sum(one.fen for one in back if not one.line.refund_of),
    )


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


def _sorted_out(
    lines: Sequence[Line], known: Rates, tx: Transaction
) -> tuple[dict[int, Line], int, list[tuple[int, str]]]:
    """Good lines by position, how many say the same again, and those that break a rule."""
    good: dict[int, Line] = {}
    first: dict[tuple[str, str], Line] = {}
    refused, repeated = [], 0
    for at, line in enumerate(lines):
        rule = fault(line, known, tx.now)
        if rule is None and (earlier := first.setdefault((line.order, line.line), line)) is not line:
            rule = None if earlier == line else LINE_CHANGED
            repeated += rule is None
            if rule is None:
                continue
        if rule is None:
            good[at] = line
        else:
            refused.append((at, rule))
    return good, repeated, refused
