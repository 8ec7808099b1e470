"""The timer table: one row per (owner, kind), replaced by arming again.

A service that arms inside a statement of its own calls the SQL functions `kefu_arm(…)` and `kefu_cancel(…)` there, with
the arrays of `arm_columns` and `cancel_columns`, and `hint` afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from services.kit.db import Transaction

CHANNEL = "timers"
POLL_SECONDS = 0.25

ArmColumns: TypeAlias = tuple[list[str], list[str], list[str], list[str], list[int], list[datetime]]
CancelColumns: TypeAlias = tuple[list[str], list[str], list[str]]
Key: TypeAlias = tuple[str, str, str]

ARM = "SELECT kefu_arm($1, $2, $3, $4, $5, $6)"
CANCEL = "SELECT kefu_cancel($1, $2, $3)"
_HOLD = """
WITH wanted AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS w (owner_kind, owner_id, kind)),
held AS (
    SELECT t.owner_kind, t.owner_id, t.kind FROM kefu_timers t JOIN wanted USING (owner_kind, owner_id, kind)
    FOR UPDATE OF t SKIP LOCKED)
SELECT t.owner_kind, t.owner_id, t.kind FROM kefu_timers t JOIN wanted USING (owner_kind, owner_id, kind)
EXCEPT SELECT * FROM held
"""


@dataclass(frozen=True, slots=True)
class Timer:
    """A deadline of an owner, for example (`conversation`, its id, `first_response`).

    `generation` is the owner's version (or a counter of its own) when the timer was armed: arming with a lower one
    changes nothing, and whoever is fired compares it with the owner's present one. `due_at` is the promise itself.
    """

    owner_kind: str
    owner_id: str
    kind: str
    site: str
    generation: int
    due_at: datetime

    @property
    def key(self) -> Key:
        """Owner kind, owner id, timer kind."""
        return (self.owner_kind, self.owner_id, self.kind)


def arm_columns(timers: Iterable[Timer]) -> ArmColumns:
    """Return the arrays that `kefu_arm` takes; of several timers with one key the last counts."""
    rows = list({timer.key: timer for timer in timers}.values())
    return (
        [row.owner_kind for row in rows],
        [row.owner_id for row in rows],
        [row.kind for row in rows],
        [row.site for row in rows],
        [row.generation for row in rows],
        [row.due_at for row in rows],
    )


def cancel_columns(keys: Iterable[Key]) -> CancelColumns:
    """Return the arrays that `kefu_cancel` takes."""
    rows = list(keys)
    return [kind for kind, _, _ in rows], [owner for _, owner, _ in rows], [timer for _, _, timer in rows]


async def arm(tx: Transaction, timers: Sequence[Timer]) -> int:
    """Arm timers, replacing what their owners had; returns how many were not stale."""
    if not timers:
        return 0
    armed = int(await tx.fetchval(ARM, *arm_columns(timers)))
    hint(tx, timers)
    return armed


def hint(tx: Transaction, timers: Iterable[Timer]) -> None:
    """Wake the dispatchers for what is due sooner than they look by themselves."""
    soon = tx.now + timedelta(seconds=POLL_SECONDS)
    if any(timer.due_at < soon for timer in timers):
        tx.hint(CHANNEL)


async def cancel(tx: Transaction, keys: Sequence[Key]) -> int:
    """Cancel timers by (owner kind, owner id, kind); returns how many were armed."""
    return int(await tx.fetchval(CANCEL, *cancel_columns(keys))) if keys else 0


async def hold(tx: Transaction, keys: Sequence[Key]) -> set[Key]:
    """Lock what is armed of (owner kind, owner id, kind); returns the keys that somebody else holds, such as by firing.

    Arming the others waits for nobody, as long as their owners are locked: only who holds an owner arms its timers.
    """
    found = await tx.fetch(_HOLD, *cancel_columns(keys)) if keys else ()
    return {(row["owner_kind"], row["owner_id"], row["kind"]) for row in found}
