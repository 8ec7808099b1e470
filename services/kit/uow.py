"""One transaction per command: the idempotent reply, the effect, audit and events, all or nothing.

`UnitOfWork.run` is for single commands. Hot paths that share a transaction (`group_commit`) read and write replies in
statements of their own, with the same table and the same rules.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

from kefu.common.v1 import errors_pb2

from services.kit.call import Call
from services.kit.db import Database, Transaction
from services.kit.errors import InvalidArgument

R = TypeVar("R")

REPLIES_KEPT_DAYS = 3

# A twin that runs at the same time waits here for the first one's commit, and then finds its reply.
_CLAIM = """
INSERT INTO kefu_requests (subject, request_id, method, fingerprint) VALUES ($1, $2, $3, $4)
ON CONFLICT (subject, request_id) DO NOTHING
RETURNING true
"""
_STORED = "SELECT fingerprint, reply FROM kefu_requests WHERE subject = $1 AND request_id = $2"
_KEEP = "UPDATE kefu_requests SET reply = $3 WHERE subject = $1 AND request_id = $2"
_EXPIRE = "DELETE FROM kefu_requests WHERE created_at < now() - make_interval(days => $1)"


class Reply(NamedTuple):
    """A reply as it is stored, under its caller and request id."""

    subject: str
    request_id: str
    method: str
    fingerprint: bytes
    reply: bytes


class UnitOfWork:
    """Runs commands of a service, each once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(
        self,
        call: Call,
        handler: Callable[[Transaction], Awaitable[R]],
        convert: Callable[[R], bytes],
        *,
        sites: Sequence[str] | None = None,
    ) -> bytes:
        """Run `handler` in a transaction and return its reply as bytes; a repeated request gets the stored bytes.

        `convert` serialises the handler's result (`lambda result: to_pb(result).SerializeToString()`). A call without
        a request_id runs every time. A failed handler stores nothing, so that a retry runs again.
        Raises InvalidArgument REQUEST_ID_REUSED when the id came before with other arguments.
        """
        async with self._database.transaction(sites=sites) as tx:
            if not call.request_id:
                return convert(await handler(tx))
            key = (call.principal.subject, call.request_id)
            if not await tx.fetchval(_CLAIM, *key, call.method, call.fingerprint):
                return await _stored(tx, key, call.fingerprint)
            reply = convert(await handler(tx))
            await tx.execute(_KEEP, *key, reply)
            return reply


async def expire_replies(tx: Transaction) -> int:
    """Delete replies older than `REPLIES_KEPT_DAYS`; returns how many."""
    return int((await tx.execute(_EXPIRE, REPLIES_KEPT_DAYS)).split()[-1])


def reused(request_id: str) -> InvalidArgument:
    """Return the error for a request id that came before with other arguments."""
    return InvalidArgument(errors_pb2.ERROR_REASON_REQUEST_ID_REUSED, {"request_id": request_id})


async def _stored(tx: Transaction, key: tuple[str, str], fingerprint: bytes) -> bytes:
    row = await tx.fetchrow(_STORED, *key)
    assert row is not None  # the claim met this row, and rows live for days
    if row["fingerprint"] != fingerprint:
        raise reused(key[1])
    return bytes(row["reply"])
