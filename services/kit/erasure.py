"""Forgetting a person across services: a saga of events in which each service answers with its proof.

Whoever keeps the request publishes `ErasureRequested`. A service overwrites its own rows, writes what that came to into
its audit chain and answers `ErasureDone`, in one transaction. Repetition is harmless: the second time there is less.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from kefu.events.v1.event_pb2 import ErasureDone, Event

from services.kit import subjects
from services.kit.audit import Entry
from services.kit.db import Transaction

# crm keeps the requests and hears every answer; the others hear only what it asks.
REQUESTS: Final = ("kefu.crm.*.dataRequests",)
SUBJECTS: Final = ("kefu.*.*.dataRequests",)
ACTOR: Final = "erasure"

# Forgets the customers of a site with these ids; returns rows by table.
Erase = Callable[[Transaction, str, Sequence[str]], Awaitable[Mapping[str, int]]]


def consumer_of(service: str) -> str:
    """The durable name of a service's consumer of requests."""
    return f"{service}-erasure"


class Handler:
    """The consumer's handler; answers of others on the same subjects are none of its business.

    The same consumer hears which exports were granted (services/kit/subjects.py).
    """

    def __init__(self, erase: Erase) -> None:
        self._erase = erase

    async def __call__(self, event: Event, tx: Transaction) -> None:
        """Forget and answer; note what may be told."""
        await subjects.note(event, tx)
        if event.WhichOneof("fact") != "erasure_requested":
            return
        asked = event.erasure_requested
        erased = {table: rows for table, rows in (await self._erase(tx, event.site, asked.customers)).items() if rows}
        tx.audit(Entry(event.site, ACTOR, "erasure.done", asked.request, json.dumps(erased, sort_keys=True)))
        answer = ErasureDone(request=asked.request, erased=erased)
        tx.publish(Event(site=event.site, aggregate=asked.request, version=1, actor=ACTOR, erasure_done=answer))
