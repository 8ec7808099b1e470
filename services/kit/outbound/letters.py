"""Messages to people: queued in the transaction that decides on them, guarded again in the one that takes them out.

The guard is asked inside the claim's transaction. It locks what it judges by, so that whatever was committed before
(a consent withdrawn while a campaign is under way) holds, and what comes later waits for the claim.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from services.kit.crypto import Vault
from services.kit.db import Database, Transaction
from services.kit.outbound.courier import Fate, Outcome

PURPOSE: Final = "kit.letters"
_QUEUE: Final = """
INSERT INTO kefu_letters (id, site, channel, reference, sealed, next_try_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING
"""
_DUE: Final = """
SELECT id, site, channel, reference, sealed, tries FROM kefu_letters
WHERE state = 'PENDING' AND next_try_at <= kefu_now() ORDER BY next_try_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_TAKE: Final = """
UPDATE kefu_letters SET tries = tries + 1, next_try_at = kefu_now() + make_interval(secs => $2) WHERE id = ANY ($1)
"""
_HOLD: Final = "UPDATE kefu_letters SET next_try_at = $2 WHERE id = $1"
_END: Final = """
UPDATE kefu_letters SET state = $2, sealed = CASE WHEN $2 = 'PARKED' THEN sealed END, last_status = $3, last_error = $4,
    ended_at = kefu_now()
WHERE id = $1 AND state = 'PENDING' RETURNING true
"""
_AGAIN: Final = """
UPDATE kefu_letters SET last_status = $3, last_error = $4, next_try_at = kefu_now() + make_interval(secs => $2)
WHERE id = $1 AND state = 'PENDING'
"""
_ERROR_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Letter:
    """One message. `reference` is the resource name of what it is about in the owner's tables."""

    id: str
    site: str
    channel: str
    reference: str
    to: str
    subject: str
    text: str
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Refuse:
    """A guard's verdict: never; `reason` is a short upper-case word."""

    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A guard's verdict: not before `until`."""

    until: datetime


Verdicts = Mapping[str, Refuse | Hold]


class Owner(Protocol):
    """The service whose letters they are."""

    async def judge(self, tx: Transaction, letters: Sequence[Letter]) -> Verdicts:
        """Refuse or hold letters by id; those not named go. Locks what it reads until `tx` ends."""
        ...

    async def ended(self, tx: Transaction, letter: Letter, state: str, reason: str) -> None:
        """A letter was SENT, BOUNCED, PARKED or REFUSED, in the transaction that says so."""
        ...


async def queue(tx: Transaction, vault: Vault, letter: Letter, *, not_before: datetime | None = None) -> None:
    """Put a letter into the queue; one with an id that came before changes nothing."""
    words = json.dumps([letter.to, letter.subject, letter.text], ensure_ascii=False)
    sealed = vault.seal(words, purpose=PURPOSE, record=letter.id)
    due = not_before or tx.now
    await tx.execute(_QUEUE, letter.id, letter.site, letter.channel, letter.reference, sealed, due, tx.now)


async def withdraw(tx: Transaction, references: Sequence[str], reason: str) -> int:
    """End what waits or is parked for these references, words and all; returns how many."""
    done = await tx.execute(
        "UPDATE kefu_letters SET state = 'REFUSED', sealed = NULL, last_error = $2, ended_at = kefu_now()"
        " WHERE reference = ANY ($1) AND state IN ('PENDING', 'PARKED')",
        list(references),
        reason,
    )
    return int(done.split()[-1])


class Letters:
    """The queue as the courier sees it."""

    def __init__(self, database: Database, vault: Vault, owner: Owner) -> None:
        self._database = database
        self._vault = vault
        self._owner = owner

    async def claim(self, limit: int, lease_seconds: float) -> list[Letter]:
        """Take what is due and may go, in one transaction with the guard."""
        async with self._database.transaction() as tx:
            due = [self._open(*row.values()) for row in await tx.fetch(_DUE, limit)]
            verdicts = await self._owner.judge(tx, due) if due else {}
            for letter in due:
                await self._follow(tx, letter, verdicts.get(letter.id))
            going = [letter for letter in due if letter.id not in verdicts]
            await tx.execute(_TAKE, [letter.id for letter in going], lease_seconds)
        return going

    async def settle(self, parcel: Letter, outcome: Outcome, wait: float | None) -> None:
        """Note how a try went, and tell the owner when it was the last."""
        async with self._database.transaction() as tx:
            if wait is not None:
                await tx.execute(_AGAIN, parcel.id, wait, outcome.status, outcome.error[:_ERROR_CHARACTERS])
                return
            state = {Fate.DELIVERED: "SENT", Fate.BOUNCED: "BOUNCED", Fate.FAILED: "PARKED"}[outcome.fate]
            await self._end(tx, parcel, state, outcome.status, outcome.error)

    async def _follow(self, tx: Transaction, letter: Letter, verdict: Refuse | Hold | None) -> None:
        if isinstance(verdict, Hold):
            await tx.execute(_HOLD, letter.id, verdict.until)
        elif isinstance(verdict, Refuse):
            await self._end(tx, letter, "REFUSED", None, verdict.reason)

    async def _end(self, tx: Transaction, letter: Letter, state: str, status: int | None, error: str) -> None:
        if await tx.fetchval(_END, letter.id, state, status, error[:_ERROR_CHARACTERS]):
            await self._owner.ended(tx, letter, state, error)

    def _open(self, id_: str, site: str, channel: str, reference: str, sealed: bytes, tries: int) -> Letter:
        to, subject, text = json.loads(self._vault.open(sealed, purpose=PURPOSE, record=id_))
        return Letter(id_, site, channel, reference, to, subject, text, tries + 1)
