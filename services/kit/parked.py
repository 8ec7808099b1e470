"""Work that failed five times: kept, listed and tried again on request (`kefu parked …`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import DecodeError
from kefu.events.v1.event_pb2 import Event
from nats.aio.msg import Msg
from nats.js import api

from services.kit.db import Database, Transaction
from services.kit.errors import KefuError
from services.kit.outbox import CHANNEL

TRIES = 5

_FAILED = """
INSERT INTO kefu_parked AS p (consumer, item_id, subject, payload, traceparent, tries, error)
VALUES ($1, $2, $3, $4, $5, 1, $6)
ON CONFLICT (consumer, item_id) DO UPDATE
SET tries = p.tries + 1, error = excluded.error, parked_at = CASE WHEN p.tries + 1 >= $7 THEN now() END
RETURNING tries
"""
_FORGET = "DELETE FROM kefu_parked WHERE consumer = $1 AND item_id = ANY ($2::text[]) AND parked_at IS NULL"
_LIST = """
SELECT consumer, item_id, subject, tries, error, first_failed_at, parked_at FROM kefu_parked
WHERE parked_at IS NOT NULL AND ($1::text IS NULL OR consumer = $1) ORDER BY parked_at, item_id LIMIT $2
"""
_TAKE = """
UPDATE kefu_parked SET tries = 0, parked_at = NULL, retries = retries + 1
WHERE consumer = $1 AND item_id = $2 AND parked_at IS NOT NULL
RETURNING subject, payload, traceparent, retries
"""
# A new message id, because the stream drops one that it had; the event inside keeps its own, by which inboxes know it.
_REPUBLISH = """
INSERT INTO kefu_outbox (id, subject, aggregate, version, payload, traceparent) VALUES ($1, $2, '', 0, $3, $4)
"""
_REARM = "SELECT kefu_arm(ARRAY[$1], ARRAY[$2], ARRAY[$3], ARRAY[$4], ARRAY[$5::bigint], ARRAY[$6::timestamptz])"
TIMERS = "timers"


@dataclass(frozen=True, slots=True)
class Parked:
    """Something parked: a consumer's event, or a timer (`consumer` is then `timers`)."""

    consumer: str
    item_id: str
    subject: str
    tries: int
    error: str
    first_failed_at: datetime
    parked_at: datetime


def backoff(tries: int) -> float:
    """Return the seconds to wait after so many failures: 0.2, 0.8, 3.2, 12.8."""
    return 0.2 * 4.0 ** (tries - 1)


async def list_parked(database: Database, *, consumer: str | None = None, limit: int = 200) -> list[Parked]:
    """Return what is parked, oldest first."""
    return [Parked(*row.values()) for row in await database.fetch(_LIST, consumer, limit)]


async def retry(database: Database, consumer: str, item_id: str) -> bool:
    """Give a parked item five more tries; returns False when nothing of that name is parked."""
    async with database.transaction() as tx:
        row = await tx.fetchrow(_TAKE, consumer, item_id)
        if row is None:
            return False
        if consumer == TIMERS:
            await _rearm(tx, row["payload"], item_id)
        else:
            fresh_id = f"{item_id}:{consumer}:{row['retries']}"
            await tx.execute(_REPUBLISH, fresh_id, row["subject"], row["payload"], row["traceparent"])
            tx.hint(CHANNEL)
        return True


async def count_failure(database: Database, consumer: str, message: Msg, error: Exception) -> int:
    """Count a failure of a consumer's event and return how many there were; from the fifth on it is parked."""
    traceparent = (message.headers or {}).get("traceparent", "")
    item = (consumer, _item_id(message), message.subject, message.data, traceparent)
    return int(await database.fetchval(_FAILED, *item, describe(error), TRIES))


def message_id(message: Msg) -> str:
    """Return the id under which the stream knows a message."""
    return (message.headers or {}).get(api.Header.MSG_ID) or f"sequence {message.metadata.sequence.stream}"


def describe(error: Exception) -> str:
    """Return an error without its message, which may carry personal data; our own errors carry none."""
    return str(error) if isinstance(error, KefuError) else type(error).__name__


def _item_id(message: Msg) -> str:
    """Return the event's id, or the message's where its bytes are no event."""
    try:
        return Event.FromString(message.data).id or message_id(message)
    except DecodeError:
        return message_id(message).split(":")[0]


async def forget(tx: Transaction, consumer: str, event_ids: Sequence[str]) -> None:
    """Drop the failures of events that have succeeded."""
    await tx.execute(_FORGET, consumer, list(event_ids))


async def _rearm(tx: Transaction, payload: bytes, item_id: str) -> None:
    timer = json.loads(payload)
    due = datetime.fromisoformat(timer["due_at"])
    await tx.execute(
        _REARM, timer["owner_kind"], timer["owner_id"], timer["kind"], timer["site"], timer["generation"], due
    )
    await tx.execute("DELETE FROM kefu_parked WHERE consumer = $1 AND item_id = $2", TIMERS, item_id)
    tx.hint(TIMERS)
