"""What is there at the end: by SQL, and messages through the public API as well."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from kefu.intake.v1 import conversation_service_pb2 as api

from tests.faults.checker import Entry, Holding, Kept, Message, Promise
from tests.faults.people import SITE, Writer
from tests.faults.rig import Rig

_QUIET = """
SELECT (SELECT count(*) FROM kefu_outbox WHERE published_seq IS NULL)
     + (SELECT count(*) FROM kefu_timers WHERE due_at <= now() + interval '1 second')
     + (SELECT count(*) FROM kefu_parked)
"""
_HISTORY = "SELECT conversation, version, at, what FROM conversation_history ORDER BY conversation, version"
_HELD = """
SELECT id, assignee FROM conversations
WHERE assignee <> '' AND state IN ('ASSIGNED', 'RECEPTION', 'SERVING', 'HANDOFF_PENDING', 'WRAP_UP')
"""
_OUTCOMES = "SELECT conversation, kind, outcome, settled_at, due_at FROM clock_outcomes"


async def connect(rig: Rig) -> Any:
    """A connection that sees every site."""
    return await asyncpg.connect(rig.url, server_settings={"search_path": "intake", "kefu.sites": "*"})


async def quiet(connection: Any) -> bool:
    """Whether no event waits to be published, no timer is due and nothing is parked."""
    return bool(await connection.fetchval(_QUIET) == 0)


async def said(writer: Writer) -> list[Message]:
    """A conversation's messages through the public API, in order."""
    found: list[Message] = []
    token = ""
    while True:
        request = api.ListMessagesRequest(parent=writer.conversation, page_size=500, page_token=token)
        reply = await writer.insist(lambda request=request: writer.stub.ListMessages(request))  # type: ignore[misc]
        found += [Message(message.name, message.text) for message in reply.messages]
        token = reply.next_page_token
        if not token:
            return found


async def kept(connection: Any, *, promise_s: float) -> list[Kept]:
    """Every conversation's history and promises; which were broken is worked out from what happened, not read."""
    histories = defaultdict(list)
    for row in await connection.fetch(_HISTORY):
        histories[row["conversation"]].append((row["version"], row["at"], row["what"]))
    promises = defaultdict(list)
    for row in await connection.fetch(_OUTCOMES):
        late = (row["settled_at"] - row["due_at"]).total_seconds()
        promises[row["conversation"]].append(Promise(row["kind"], row["outcome"], late))
    versions = {row["id"]: row["version"] for row in await connection.fetch("SELECT id, version FROM conversations")}
    assert versions.keys() == histories.keys()
    return [
        Kept(
            name,
            version,
            tuple(Entry(number, what) for number, _, what in histories[name]),
            tuple(promises[name]),
            _broken([(at, what) for _, at, what in histories[name]], promise_s),
        )
        for name, version in versions.items()
    ]


def _broken(entries: list[tuple[datetime, str]], promise_s: float) -> tuple[str, ...]:
    """First responses that were not given within the promise: from the first question to the first answer."""
    began = next((at for at, what in entries if what == "message CUSTOMER"), None)
    if began is None:
        return ()
    answered = next((at for at, what in entries if what == "message AGENT"), None)
    due = began + timedelta(seconds=promise_s)
    return ("FIRST_RESPONSE",) if answered is None or answered > due else ()


async def holding(connection: Any) -> Holding:
    """Who has what, beside what the service counts."""
    agents = await connection.fetch("SELECT person, capacity, load FROM agents WHERE site = $1", SITE)
    assigned = await connection.fetch(_HELD)
    return Holding(
        {row["person"]: row["capacity"] for row in agents},
        {row["person"]: row["load"] for row in agents},
        [(row["id"], row["assignee"]) for row in assigned],
    )
