"""Leave to see clear data: asked for by one person, decided by another, each look in the audit log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from services.crm.domain.unmask import GRANTED, PENDING, REFUSED, Grant
from services.crm.errors import second_person, wrong_state
from services.crm.store import customers, grants
from services.kit.audit import Entry
from services.kit.db import Transaction


class Unmasking:
    """Commands on grants; a grant lasts `lasts` from its decision."""

    def __init__(self, lasts: timedelta, new_id: Callable[[], str]) -> None:
        self._lasts = lasts
        self._new_id = new_id

    async def request(self, tx: Transaction, site: str, customer: str, reason: str, *, actor: str) -> Grant:
        """Ask. The reason is kept with the grant and nowhere else."""
        await customers.members(tx, site, customer)
        grant = Grant(site, self._new_id(), customer, PENDING, actor, reason)
        await grants.insert(tx, grant)
        tx.audit(Entry(site, actor, "unmask.request", grant.name))
        return grant

    async def decide(
        self, tx: Transaction, site: str, customer: str, grant_id: str, *, granted: bool, actor: str
    ) -> Grant:
        """Grant or refuse. PermissionDenied SECOND_PERSON for who asked, FailedPrecondition once it is decided."""
        grant = await grants.get(tx, site, customer, grant_id, lock=True)
        if grant.requester == actor:
            raise second_person("customers.approve")
        if grant.state != PENDING:
            raise wrong_state(grant.name, grant.state, PENDING)
        until = tx.now + self._lasts if granted else None
        grant = replace(grant, state=GRANTED if granted else REFUSED, decider=actor, expires_at=until)
        await grants.decide(tx, grant)
        tx.audit(Entry(site, actor, "unmask.decide", grant.name, grant.state))
        return grant

    async def look(self, tx: Transaction, site: str, customer: str, grant_id: str, *, actor: str) -> None:
        """Note a look. Raises FailedPrecondition unless the grant holds for this person now."""
        grant = await self.holding(tx, site, customer, grant_id, actor=actor)
        tx.audit(Entry(site, actor, "customer.unmask", f"sites/{site}/customers/{customer}", grant.name))

    async def holding(self, tx: Transaction, site: str, customer: str, grant_id: str, *, actor: str) -> Grant:
        """The grant, if it holds for this person now; raises FailedPrecondition otherwise."""
        grant = await grants.get(tx, site, customer, grant_id)
        if not grant.holds(actor, tx.now):
            state = grant.state if grant.state != GRANTED or grant.requester == actor else "OF_ANOTHER"
            raise wrong_state(grant.name, "EXPIRED" if state == GRANTED else state, GRANTED)
        return grant
