"""Requests of data subjects: opened, verified by one person, fulfilled by another one; erasure by a saga of events."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from kefu.events.v1.event_pb2 import ErasureRequested, Event, ExportGranted

from services.crm.domain.cycles import REQUEST, Act
from services.crm.domain.request import ERASURE, EXPORT, FULFILLED, WITNESSES, DataRequest, Proof
from services.crm.errors import second_person, wrong_state
from services.crm.queries.customers import CustomerQueries
from services.crm.queries.export import export
from services.crm.store import customers, erasure, requests
from services.crm.store.words import WordStore
from services.kit.audit import Entry
from services.kit.db import Transaction
from services.kit.erasure import Handler


class Privacy:
    """Commands on requests, and the part of crm in the saga; services that are `absent` know nobody."""

    def __init__(
        self, queries: CustomerQueries, words: WordStore, new_id: Callable[[], str], *, absent: Collection[str] = ()
    ) -> None:
        self.witnesses = frozenset(WITNESSES) - frozenset(absent)
        self._queries = queries
        self._words = words
        self._new_id = new_id
        self._forget = Handler(erasure.erase)

    async def create(self, tx: Transaction, site: str, customer: str, kind: str, *, actor: str) -> DataRequest:
        """Open a request. Raises NotFound for an unknown customer."""
        root, _ = await customers.members(tx, site, customer)
        request = DataRequest(site, self._new_id(), root, kind, REQUEST.initial, tx.now)
        await requests.insert(tx, request)
        tx.audit(Entry(site, actor, "data_request.open", request.name, kind))
        return request

    async def verify(self, tx: Transaction, site: str, request_id: str, note: str, *, actor: str) -> DataRequest:
        """Note how the asker's identity was checked."""
        before = await requests.get(tx, site, request_id, lock=True)
        return await self._step(tx, before, "verify", Act(actor, note=note), actor, verifier=actor, words=note)

    async def refuse(self, tx: Transaction, site: str, request_id: str, reason: str, *, actor: str) -> DataRequest:
        """Refuse with a reason."""
        before = await requests.get(tx, site, request_id, lock=True)
        act = Act(actor, reason=reason)
        return await self._step(tx, before, "refuse", act, actor, decider=actor, words=reason, ended_at=tx.now)

    async def fulfil(self, tx: Transaction, site: str, request_id: str, *, actor: str) -> DataRequest:
        """Fulfil: an erasure begins, the others are done at once. PermissionDenied for the one who verified.

        That an export was granted is told to everybody who will be asked for what they know.
        """
        before = await requests.get(tx, site, request_id, lock=True)
        if before.verifier == actor:
            raise second_person("customers.approve")
        act = Act(actor, author=before.verifier)
        begun = await self._step(tx, before, "fulfil", act, actor, decider=actor)
        _, files = await customers.members(tx, site, begun.customer)
        if begun.kind == EXPORT:
            granted = ExportGranted(request=begun.name, customers=files)
            tx.publish(Event(site=site, aggregate=begun.name, version=1, export_granted=granted))
        if begun.kind != ERASURE:
            return await self._step(tx, begun, "finish", act, actor, ended_at=tx.now)
        asked = ErasureRequested(request=begun.name, customers=files)
        tx.publish(Event(site=site, aggregate=begun.name, version=1, erasure_requested=asked))
        return begun

    async def fetch(self, tx: Transaction, site: str, request_id: str, *, actor: str) -> dict[str, Any]:
        """What crm knows, for a granted request; noted in the audit log."""
        request = await requests.get(tx, site, request_id)
        if (request.kind, request.state) != (EXPORT, FULFILLED):
            raise wrong_state(request.name, f"{request.kind} {request.state}", f"{EXPORT} {FULFILLED}")
        tx.audit(Entry(site, actor, "data_request.fetch", request.name))
        return await export(tx, self._queries, self._words, site, request.customer)

    async def hear(self, event: Event, tx: Transaction) -> None:
        """Take part in the saga: forget when asked, keep proofs, and finish once everybody has answered."""
        await self._forget(event, tx)
        if event.WhichOneof("fact") != "erasure_done":
            return
        site, request_id = event.site, event.erasure_done.request.rpartition("/")[2]
        request = await requests.get(tx, site, request_id, lock=True)
        await requests.prove(tx, site, request_id, Proof(event.source, dict(event.erasure_done.erased), tx.now))
        answered = {proof.service for proof in (await requests.proofs(tx, site, [request_id]))[request_id]}
        if request.state != FULFILLED and answered >= self.witnesses:
            await self._step(tx, request, "finish", Act("erasure"), "erasure", ended_at=tx.now)

    async def _step(
        self, tx: Transaction, before: DataRequest, transition: str, act: Act, actor: str, **changes: object
    ) -> DataRequest:
        step = REQUEST.apply(before.state, transition, act)
        after = replace(before, state=step.to_state, **changes)  # type: ignore[arg-type]
        await requests.put(tx, after)
        tx.audit(Entry(after.site, actor, f"data_request.{transition}", after.name, after.kind))
        return after
