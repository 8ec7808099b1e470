"""Changing points: each transaction has one book, which writes lots, debts and ledger together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from kefu.common.v1 import errors_pb2

from services.crm.domain import points as rules
from services.crm.domain.points import Lot, TooFewError, Transfer
from services.crm.domain.rules import PointsRule, points_rule
from services.crm.errors import too_few
from services.crm.profiles import SiteProfiles
from services.crm.store import customers
from services.crm.store import points as store
from services.crm.store.orders import Head
from services.crm.store.points import Posting
from services.kit.db import Transaction
from services.kit.errors import FailedPrecondition

PURCHASE: Final = "PURCHASE"
RETURN: Final = "RETURN"
REDEMPTION: Final = "REDEMPTION"
TIME: Final = "TIME"


class Book:
    """Locked lots and debts of a site with what is posted to them; `save` writes it all."""

    def __init__(self, lots: Iterable[Lot], owed: dict[str, int]) -> None:
        self.lots = {lot.id: lot for lot in lots}
        self.owed = owed
        self._postings: list[Posting] = []
        self._changed: set[str] = set()
        self._debts: set[str] = set()

    def post(self, transfers: Sequence[Transfer], cause: str, reference: str) -> None:
        """Post transfers between accounts of known lots."""
        for one in transfers:
            lot = self.lots[one.lot]
            self.lots[one.lot] = rules.posted(lot, [one])
            self._changed.add(one.lot)
            self._postings.append(Posting(lot.customer, one, cause, reference))

    def owe(self, customer: str, owed: int) -> None:
        """Set what a customer owes."""
        if owed != self.owed[customer]:
            self.owed[customer] = owed
            self._debts.add(customer)

    def issue(self, lot: Lot, now: datetime) -> None:
        """Bring a new lot in; debts are settled first."""
        transfers, owed = rules.issue(lot, owed=self.owed[lot.customer], now=now)
        self.lots[lot.id] = lot
        self.post(transfers, lot.cause, lot.reference)
        self.owe(lot.customer, owed)

    def pass_time(self, now: datetime) -> None:
        """Post what time alone has moved."""
        self.post(rules.due(list(self.lots.values()), now), TIME, "")

    async def save(self, tx: Transaction, site: str, *, actor: str, new: Sequence[str] = ()) -> None:
        """Write what changed; `new` lots are inserted."""
        await store.insert_lots(tx, site, [self.lots[one] for one in new])
        await store.put_lots(tx, site, [self.lots[one] for one in sorted(self._changed.difference(new))])
        await store.put_owed(tx, site, {one: self.owed[one] for one in sorted(self._debts)})
        await store.note(tx, site, self._postings, actor=actor)


class Ledger:
    """Grants, redemptions and what purchases earn."""

    def __init__(self, profiles: SiteProfiles, new_id: Callable[[], str]) -> None:
        self._profiles = profiles
        self._new_id = new_id

    async def grant(
        self, tx: Transaction, site: str, customer: str, *, points: int, cause: str, reference: str, actor: str
    ) -> None:
        """Give points, once per customer, cause and reference. FailedPrecondition where the site has no points."""
        rule = self._rule(tx, site)
        if rule is None:
            raise FailedPrecondition(errors_pb2.ERROR_REASON_PROFILE_FORBIDS, {"setting": "crm.points"})
        root, _ = await customers.members(tx, site, customer)
        book = Book((), await store.lock_accounts(tx, site, [root]))
        if await store.granted(tx, site, root, cause, reference):
            return
        lot = Lot(self._new_id(), root, cause, reference, points, tx.now, tx.now + rule.expires)
        book.issue(lot, tx.now)
        await book.save(tx, site, actor=actor, new=[lot.id])

    async def redeem(
        self, tx: Transaction, site: str, customer: str, *, points: int, reference: str, actor: str
    ) -> None:
        """Spend points, earliest expiry first. FailedPrecondition POINTS_SHORT when there are too few."""
        _, files = await customers.members(tx, site, customer)
        owed = await store.lock_accounts(tx, site, files)
        book = Book(await store.open_lots(tx, site, files, lock=True), owed)
        book.pass_time(tx.now)
        try:
            transfers = rules.redeem(list(book.lots.values()), points)
        except TooFewError as short:
            raise too_few(short.available) from short
        book.post(transfers, REDEMPTION, reference)
        await book.save(tx, site, actor=actor)

    async def settle(self, tx: Transaction, site: str, source: str, heads: Sequence[Head], *, actor: str) -> list[Head]:
        """Post what locked orders earned or lost since they were settled last; returns them with what is posted now."""
        rule = self._rule(tx, site)
        due = (
            {} if rule is None else {head.order: _due(head, rule) - head.points_due for head in heads if head.customer}
        )
        open_ = [head for head in heads if due.get(head.order)]
        if rule is None or not open_:
            return list(heads)
        owed = await store.lock_accounts(tx, site, sorted({head.customer for head in open_ if head.customer}))
        lots = await self._lots(tx, site, source, [head for head in open_ if due[head.order] < 0])
        book, new, posted = Book(lots, owed), [], {}
        for head in open_:
            difference, customer = due[head.order], head.customer or ""
            if difference < 0:
                posted[head.order] = -_reverse(book, head, customer, -difference, _reference(source, head))
            elif (lot := self._lot(head, customer, difference, rule, _reference(source, head), tx.now)) is not None:
                book.issue(lot, tx.now)
                new.append(lot.id)
                posted[head.order] = difference
        await book.save(tx, site, actor=actor, new=new)
        return [replace(head, points_due=head.points_due + posted.get(head.order, 0)) for head in heads]

    async def sweep(self, tx: Transaction, *, limit: int) -> int:
        """Write down what time has moved, at every site; returns how many lots."""
        found = sorted(await store.due_lots(tx, limit=limit), key=lambda one: (one[0], one[1].id))
        for site, lots in groupby(found, key=lambda one: one[0]):
            book = Book((lot for _, lot in lots), {})
            book.pass_time(tx.now)
            await book.save(tx, site, actor="timer")
        return len(found)

    def _rule(self, tx: Transaction, site: str) -> PointsRule | None:
        return points_rule(self._profiles.at(site, tx.now))

    async def _lots(self, tx: Transaction, site: str, source: str, heads: Sequence[Head]) -> list[Lot]:
        """The lots from which these orders' points are taken back."""
        known = [head for head in heads if head.first_at is not None]
        unknown = sorted({head.customer for head in heads if head.first_at is None and head.customer})
        found = []
        if known:
            owners = sorted({head.customer for head in known if head.customer})
            references = [_reference(source, head) for head in known]
            found += await store.purchase_lots(tx, site, owners, references)
        if unknown:
            found += await store.purchase_lots(tx, site, unknown, None)
        return found

    def _lot(
        self, head: Head, customer: str, points: int, rule: PointsRule, reference: str, now: datetime
    ) -> Lot | None:
        """The lot that a purchase earns; None for one that is older than a point's life."""
        if head.first_at is None or head.first_at + rule.expires <= now:
            return None
        active_at: datetime = head.first_at + rule.pending
        life: timedelta = rule.expires
        return Lot(self._new_id(), customer, PURCHASE, reference, points, active_at, head.first_at + life)


def _due(head: Head, rule: PointsRule) -> int:
    """Points of an order; below zero for a return that names no purchase, none for one that waits for its own."""
    return rule.of(head.sales_fen - head.returned_fen) if head.first_at is not None else -rule.of(head.unnamed_fen)


def _reference(source: str, head: Head) -> str:
    return f"{source}:{head.order}"


def _reverse(book: Book, head: Head, customer: str, points: int, reference: str) -> int:
    """Take points back; returns how many of them are settled thereby."""
    own = head.first_at is not None
    lots = [
        lot
        for lot in book.lots.values()
        if lot.customer == customer and lot.cause == PURCHASE and (not own or lot.reference == reference)
    ]
    transfers, owed, gone = rules.reverse(lots, points, owing=0 if own else book.owed[customer])
    book.post(transfers, RETURN, reference)
    book.owe(customer, book.owed[customer] + owed)
    return sum(one.points for one in transfers) + owed + gone
