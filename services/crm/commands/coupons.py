"""Coupons and memberships."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from services.crm.domain.coupon import ISSUED, USED, VOIDED, Coupon
from services.crm.errors import wrong_state
from services.crm.store import coupons as store
from services.crm.store import customers
from services.kit.audit import Entry
from services.kit.db import Transaction


class Coupons:
    """Commands on coupons and on the site's club."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id

    async def issue(
        self,
        tx: Transaction,
        site: str,
        customer: str,
        *,
        value_fen: int,
        valid_days: int,
        cause: str,
        reference: str,
        actor: str,
    ) -> Coupon:
        """Issue one, once per customer, cause and reference: again it returns the first."""
        root, _ = await customers.members(tx, site, customer)
        expires_at = tx.now + timedelta(days=valid_days)
        made = Coupon(site, self._new_id(), root, ISSUED, value_fen, cause, reference, expires_at)
        coupon = await store.insert(tx, made)
        if coupon is made:
            tx.audit(Entry(site, actor, "coupon.issue", coupon.name, f"{cause} {value_fen}"))
        return coupon

    async def use(self, tx: Transaction, site: str, coupon_id: str, order: str, *, actor: str) -> Coupon:
        """Use one for an order. FailedPrecondition when it is used, expired or voided."""
        return await self._end(tx, site, coupon_id, state=USED, order=order, actor=actor)

    async def void(self, tx: Transaction, site: str, coupon_id: str, *, actor: str) -> Coupon:
        """Take an unused one back."""
        return await self._end(tx, site, coupon_id, state=VOIDED, order="", actor=actor)

    async def set_membership(self, tx: Transaction, site: str, customer: str, level: str, *, actor: str) -> None:
        """Join, change the level, or end it with an empty one."""
        root, _ = await customers.members(tx, site, customer)
        await store.put_membership(tx, site, root, level)
        tx.audit(Entry(site, actor, "membership.set", f"sites/{site}/customers/{root}", level))

    async def _end(self, tx: Transaction, site: str, coupon_id: str, *, state: str, order: str, actor: str) -> Coupon:
        coupon = await store.get(tx, site, coupon_id)
        standing = coupon.standing(tx.now)
        if standing != ISSUED:
            raise wrong_state(coupon.name, standing, ISSUED)
        coupon = replace(coupon, state=state, used_for=order)
        await store.end(tx, coupon)
        tx.audit(Entry(site, actor, f"coupon.{state.lower()}", coupon.name, order))
        return coupon
