"""Compare the outbox with the stream and publish again what the stream has lost.

The outbox is the truth: its rows stay until all consumers have passed them, so that whatever JetStream loses (a volume,
a tail after a power cut, the whole stream) can be restored from it.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

import asyncpg
import nats.errors
from nats.js import api
from nats.js.errors import NotFoundError

from services.kit import bus
from services.kit.bus import Link
from services.kit.db import Database

PAGE = 500
AT_A_TIME = 50

_PUBLISHED = """
SELECT position, message_id, published_seq FROM kefu_outbox
WHERE published_seq IS NOT NULL AND position > $1 ORDER BY position LIMIT $2
"""
_REOPEN = """
UPDATE kefu_outbox SET published_seq = NULL, republished = republished + 1 WHERE position = ANY ($1::bigint[])
"""
_REOPEN_ALL = """
UPDATE kefu_outbox SET published_seq = NULL, republished = republished + 1 WHERE published_seq IS NOT NULL
"""
_SEEN = "SELECT created_at FROM kefu_stream"
_SEE = """
INSERT INTO kefu_stream (created_at) VALUES ($1) ON CONFLICT (only_row) DO UPDATE SET created_at = excluded.created_at
"""

log = logging.getLogger(__name__)


async def reconcile(database: Database, link: Link) -> int:
    """Mark what the stream lacks as unpublished, so that the relay publishes it again; returns how many rows."""
    info = await link.jetstream.stream_info(bus.STREAM)
    assert info.created is not None
    if await _replaced(database, info.created):
        return await _reopen_all(database, info.created)
    reopened, position = 0, 0
    while rows := await database.fetch(_PUBLISHED, position, PAGE):
        position = rows[-1]["position"]
        if lost := await _missing(link, rows):
            await database.execute(_REOPEN, lost)
            reopened += len(lost)
    if reopened:
        log.warning("%d events were missing in the stream and are published again", reopened)
    return reopened


async def _replaced(database: Database, created: datetime) -> bool:
    """Say whether this is another stream than the one seen last: its sequences begin anew and mean nothing here."""
    seen = await database.fetchval(_SEEN)
    if seen is None:
        await database.execute(_SEE, created)
    return seen is not None and seen != created


async def _reopen_all(database: Database, created: datetime) -> int:
    async with database.transaction() as tx:
        reopened = int((await tx.execute(_REOPEN_ALL)).split()[-1])
        await tx.execute(_SEE, created)
    log.warning("the stream was made anew; %d events are published again", reopened)
    return reopened


async def _missing(link: Link, rows: list[asyncpg.Record]) -> list[int]:
    """Return the positions of the rows that are not where the stream once put them."""
    lost: list[int] = []
    for start in range(0, len(rows), AT_A_TIME):
        part = rows[start : start + AT_A_TIME]
        found = await asyncio.gather(*(_is_there(link, row["published_seq"], row["message_id"]) for row in part))
        lost += [row["position"] for row, there in zip(part, found, strict=True) if not there]
    return lost


async def _is_there(link: Link, sequence: int, message_id: str) -> bool:
    try:
        message = await link.jetstream.get_msg(bus.STREAM, sequence)
    except NotFoundError:
        return False
    except nats.errors.NoRespondersError as error:
        raise TimeoutError from error
    return (message.headers or {}).get(api.Header.MSG_ID) == message_id
