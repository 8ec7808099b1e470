"""Events leave a service through its outbox table, in the transaction of the command that caused them.

The outbox is the truth and JetStream the delivery: `relay` moves rows into the stream, and a row stays until every
declared consumer has passed it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kefu.events.v1.event_pb2 import Event

from services.kit.ids import IdSource

if TYPE_CHECKING:
    from services.kit.db import Transaction

CHANNEL = "outbox"

_TOKEN = re.compile(r"[A-Za-z0-9_-]+")

INSERT = """
INSERT INTO kefu_outbox (id, subject, aggregate, version, payload, traceparent)
SELECT id, subject, aggregate, version, payload, traceparent
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[], $6::text[])
    WITH ORDINALITY AS e (id, subject, aggregate, version, payload, traceparent, nth)
ORDER BY nth
"""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event on its way into the outbox, with the W3C trace context that caused it (empty for none)."""

    event: Event
    traceparent: str


class Row(NamedTuple):
    """An event as it is stored: for services that put the insert into a statement of their own (`INSERT`)."""

    id: str
    subject: str
    aggregate: str
    version: int
    payload: bytes


def subject_of(event: Event) -> str:
    """Return `kefu.<service>.<site>.<aggregate kind>`; raises ValueError when a part cannot be in a subject."""
    kind = event.aggregate.split("/")[-2] if "/" in event.aggregate else event.aggregate
    parts = (event.source, event.site or "-", kind)
    if not all(_TOKEN.fullmatch(part) for part in parts):
        raise ValueError(f"no subject can be made of source, site and aggregate kind {parts}")
    return "kefu." + ".".join(parts)


def to_row(event: Event) -> Row:
    """Serialise an event that is complete."""
    return Row(event.id, subject_of(event), event.aggregate, event.version, event.SerializeToString())


def complete(event: Event, tx: Transaction, new_id: IdSource) -> None:
    """Fill in what the transaction knows: id, source and instant where they are missing."""
    if not event.id:
        event.id = new_id()
    if not event.source:
        event.source = tx.service
    if not event.HasField("occurred_at"):
        event.occurred_at.FromDatetime(tx.now)


def columns(rows: Sequence[Row]) -> tuple[list[str], list[str], list[str], list[int], list[bytes]]:
    """Turn rows into the arrays that `INSERT` takes before that of the traceparents."""
    return (
        [row.id for row in rows],
        [row.subject for row in rows],
        [row.aggregate for row in rows],
        [row.version for row in rows],
        [row.payload for row in rows],
    )


async def insert(tx: Transaction, outgoing: Sequence[Outgoing], *, new_id: IdSource) -> None:
    """Write events into the outbox in order; prefer `tx.publish(...)`, which does this before the commit."""
    for one in outgoing:
        complete(one.event, tx, new_id)
    rows = columns([to_row(one.event) for one in outgoing])
    await tx.execute(INSERT, *rows, [one.traceparent for one in outgoing])
