"""Adding, editing, verifying and joining customers' files: each in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from services.crm.commands.tiers import Tiers
from services.crm.domain.customer import Customer, File, Identity
from services.crm.domain.period import later
from services.crm.domain.rules import verify_interval
from services.crm.errors import circle, stale, taken, wrong_state
from services.crm.profiles import SiteProfiles
from services.crm.store import merges
from services.crm.store.customers import CustomerStore
from services.crm.store.identities import IdentityStore
from services.kit.audit import Entry
from services.kit.db import Transaction

ACTIVE: Final = "ACTIVE"
STALE: Final = "STALE"
MERGED: Final = "MERGED"
OPEN: Final = (ACTIVE, STALE)


class Customers:
    """Commands on files."""

    def __init__(
        self,
        files: CustomerStore,
        identities: IdentityStore,
        profiles: SiteProfiles,
        tiers: Tiers,
        new_id: Callable[[], str],
    ) -> None:
        self._files = files
        self._identities = identities
        self._profiles = profiles
        self._tiers = tiers
        self._new_id = new_id

    async def create(
        self, tx: Transaction, site: str, customer_id: str, file: File, identities: Sequence[Identity], *, actor: str
    ) -> Customer:
        """Add a customer, verified now. Raises AlreadyExists when the id or an identity is taken."""
        id_ = customer_id or self._new_id()
        customer = Customer(
            site=site,
            id=id_,
            file=file,
            state=ACTIVE,
            merged_into=None,
            root=id_,
            revision=1,
            verified_at=tx.now,
            verify_due_at=None,
        )
        customer = self._verified(tx, customer)
        await self._files.insert(tx, customer)
        for identity in identities:
            await self._link(tx, customer, identity)
        tx.audit(Entry(site, actor, "customer.create", customer.name))
        return customer

    async def update(
        self, tx: Transaction, site: str, customer_id: str, file: File, paths: Sequence[str], etag: str, *, actor: str
    ) -> Customer:
        """Take the named fields over. Raises Aborted for a stale etag, FailedPrecondition for a closed file."""
        before = await self._open(tx, site, customer_id)
        if etag and etag != str(before.revision):
            raise stale(before.name)
        after = replace(before, file=before.file.changed(file, paths))
        return await self._write(tx, before, after, f"customer.update {','.join(paths)}", actor)

    async def link(self, tx: Transaction, site: str, customer_id: str, identity: Identity, *, actor: str) -> Customer:
        """Add an identity. Raises AlreadyExists when somebody has it, this customer included."""
        customer = await self._open(tx, site, customer_id)
        await self._link(tx, customer, identity)
        tx.audit(Entry(site, actor, "customer.link", customer.name, identity.channel))
        return customer

    async def verify(self, tx: Transaction, site: str, customer_id: str, *, actor: str) -> Customer:
        """Note that the file was checked with the customer."""
        before = await self._open(tx, site, customer_id)
        return await self._write(
            tx, before, self._verified(tx, replace(before, state=ACTIVE)), "customer.verify", actor
        )

    async def merge(self, tx: Transaction, site: str, customer_id: str, into: str, *, actor: str) -> Customer:
        """Let a customer count for another one; nothing of either is rewritten."""
        await merges.one_at_a_time(tx, site)
        goes = await self._open(tx, site, customer_id)
        stays = await self._files.get(tx, site, into, lock=True)
        if stays.state not in (*OPEN, MERGED):
            raise wrong_state(stays.name, stays.state, "ACTIVE, STALE")
        if stays.root == goes.id:
            raise circle(goes.name)
        after = replace(goes, state=MERGED, merged_into=stays.id, root=stays.root)
        after = await self._write(tx, goes, after, f"customer.merge {into}", actor)
        await merges.follow(tx, site, goes.id, root=stays.root)
        await merges.note(tx, site, goes.id, into, undone=False, actor=actor)
        await self._tiers.rejudge(tx, site, moved=goes.id, roots=[stays.root])
        return after

    async def unmerge(self, tx: Transaction, site: str, customer_id: str, *, actor: str) -> Customer:
        """Take a merged customer out again, with everybody who was merged into them."""
        await merges.one_at_a_time(tx, site)
        before = await self._files.get(tx, site, customer_id, lock=True)
        if before.merged_into is None:
            raise wrong_state(before.name, before.state, MERGED)
        state = STALE if before.verify_due_at is not None and before.verify_due_at <= tx.now else ACTIVE
        after = replace(before, state=state, merged_into=None, root=before.id)
        after = await self._write(tx, before, after, f"customer.unmerge {before.merged_into}", actor)
        await merges.follow(tx, site, before.id, root=before.id)
        await merges.note(tx, site, before.id, before.merged_into, undone=True, actor=actor)
        await self._tiers.rejudge(tx, site, moved=before.id, roots=[before.root, before.id])
        return after

    async def _open(self, tx: Transaction, site: str, customer_id: str) -> Customer:
        customer = await self._files.get(tx, site, customer_id, lock=True)
        if customer.state not in OPEN:
            raise wrong_state(customer.name, customer.state, ", ".join(OPEN))
        return customer

    async def _link(self, tx: Transaction, customer: Customer, identity: Identity) -> None:
        if not await self._identities.add(tx, customer.site, customer.id, identity):
            raise taken(f"{customer.name} {identity.channel}")

    def _verified(self, tx: Transaction, customer: Customer) -> Customer:
        interval = verify_interval(self._profiles.at(customer.site, tx.now))
        due = None if interval is None else later(tx.now, interval)
        return replace(customer, verified_at=tx.now, verify_due_at=due)

    async def _write(self, tx: Transaction, before: Customer, after: Customer, action: str, actor: str) -> Customer:
        after = replace(after, revision=before.revision + 1)
        await self._files.update(tx, after)
        name, _, detail = action.partition(" ")
        tx.audit(Entry(after.site, actor, name, after.name, detail))
        return after
