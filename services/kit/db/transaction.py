"""What statements run in: a reading, or a transaction with the events and audit rows that commit with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import asyncpg

from services.kit import call
from services.kit.db.pool import Connection
from services.kit.outbox import Outgoing

if TYPE_CHECKING:
    from kefu.events.v1.event_pb2 import Event

    from services.kit.audit import Entry


class Reading:
    """Statements that read, limited to the sites that it was opened for. Got from `Database.reading()`.

    `now` is the instant at which it began, by the database's clock. Statements end at the caller's deadline.
    """

    def __init__(self, connection: Connection, *, now: datetime, seconds: Callable[[], float]) -> None:
        self.connection = connection
        self.now = now
        self._seconds = seconds

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run a statement and return its rows."""
        return await self.connection.fetch(query, *arguments, timeout=self._seconds())

    async def fetchrow(self, query: str, *arguments: Any) -> asyncpg.Record | None:
        """Run a statement and return its first row, or None."""
        return await self.connection.fetchrow(query, *arguments, timeout=self._seconds())

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        """Run a statement and return the first column of its first row, or None."""
        return await self.connection.fetchval(query, *arguments, timeout=self._seconds())


class Transaction(Reading):
    """An open transaction. Got from `Database.transaction()`; commits when that block ends without an exception."""

    def __init__(self, connection: Connection, *, now: datetime, service: str, seconds: Callable[[], float]) -> None:
        super().__init__(connection, now=now, seconds=seconds)
        self.service = service
        self.events: list[Outgoing] = []
        self.entries: list[Entry] = []
        self.hints: set[str] = set()
        self._afterwards: list[Callable[[], None]] = []

    async def execute(self, query: str, *arguments: Any) -> str:
        """Run a statement and return its command tag, for example `UPDATE 1`."""
        return await self.connection.execute(query, *arguments, timeout=self._seconds())

    async def executemany(self, query: str, arguments: Iterable[Sequence[Any]]) -> None:
        """Run a statement once per sequence of arguments, in one exchange."""
        await self.connection.executemany(query, arguments, timeout=self._seconds())

    async def copy(self, table: str, columns: Sequence[str], records: Iterable[Sequence[Any]]) -> None:
        """Bring many rows into a table at once. Not for tables behind row-level security: PostgreSQL refuses that."""
        await self.connection.copy_records_to_table(table, records=records, columns=columns, timeout=self._seconds())

    def publish(self, *events: Event) -> None:
        """Put events into the outbox with this transaction.

        A missing id, source, instant and actor are filled in; the trace is the present call's.
        """
        current = call.maybe()
        for event in events:
            if current is not None and not event.actor:
                event.actor = current.principal.subject
            self.events.append(Outgoing(event, "" if current is None else current.trace.traceparent))

    def audit(self, *entries: Entry) -> None:
        """Append to the hash-chained audit log with this transaction."""
        self.entries.extend(entries)

    def hint(self, channel: str) -> None:
        """Wake those who wait for work on the channel, once the transaction is committed."""
        self.hints.add(channel)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call back once the transaction is committed; never when it is rolled back."""
        self._afterwards.append(callback)

    def committed(self) -> None:
        """Run what waited for the commit, and let go of it; called by `Database`.

        What waits often holds this transaction: a ring that would keep all that it decided until the collector comes.
        """
        afterwards, self._afterwards = self._afterwards, []
        for callback in afterwards:
            callback()
