"""Events in: each becomes one delivery for every webhook that wants it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from kefu.events.v1.event_pb2 import Event

from services.gateway.webhooks import store
from services.kit.db import Transaction


class Intake:
    """The handler of the consumer; `notify` wakes the sender after the commit."""

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._asked: Transaction | None = None
        self._sites: frozenset[str] = frozenset()

    async def __call__(self, event: Event, tx: Transaction) -> None:
        """Queue deliveries in the transaction that marks the event as had."""
        kind = event.WhichOneof("fact")
        if kind is None:
            return  # a fact newer than this build: nobody here can have asked for it
        if self._asked is not tx:  # once for all events that share a transaction: most sites have no webhook
            self._asked, self._sites = tx, await store.sites(tx)
        if event.site not in self._sites:
            return
        body = json.dumps(payload(event), ensure_ascii=False, separators=(",", ":")).encode()
        if await store.enqueue(tx, delivery=event.id, event_id=event.id, site=event.site, kind=kind, body=body):
            tx.after_commit(self._notify)


def payload(event: Event) -> dict[str, Any]:
    """The body in the form of Standard Webhooks: type, timestamp, data."""
    plain = Event()
    plain.CopyFrom(event)
    _forget_personal(plain)
    data = json_format.MessageToDict(plain, always_print_fields_with_no_presence=True)
    return {"type": str(event.WhichOneof("fact")), "timestamp": data["occurredAt"], "data": data}


def _forget_personal(message: Message) -> None:
    """Clear what the contract marks `debug_redact`: nothing personal leaves for another company's URL."""
    for field, value in message.ListFields():
        if field.GetOptions().debug_redact:
            message.ClearField(field.name)
        elif field.message_type is not None and isinstance(value, Message):
            _forget_personal(value)
