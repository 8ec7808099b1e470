"""SQL of people and presence. Every statement names the site; writers lock the person's row first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from services.kit.crypto import Vault
from services.kit.db import Reading, Transaction
from services.staffing.domain.person import Grade, Person, Profile
from services.staffing.domain.presence import Presence, Span, State
from services.staffing.errors import not_found, taken

_COLUMNS = (
    "site, person_id, display_name_sealed, grade, skills, capacity, certified, active, presence, presence_since,"
    " version, revision"
)
_GET = f"SELECT {_COLUMNS} FROM people WHERE site = $1 AND person_id = $2"
_LIST = f"""
SELECT {_COLUMNS} FROM people
WHERE site = $1 AND person_id > $2 AND (active OR $3) AND (presence = ANY ($4) OR cardinality($4::text[]) = 0)
ORDER BY person_id LIMIT $5
"""
_INSERT = """
INSERT INTO people (site, person_id, display_name_sealed, display_name_index, grade, skills, capacity, certified,
    active, presence, presence_since, version, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT DO NOTHING RETURNING true
"""
_UPDATE = """
UPDATE people SET display_name_sealed = $3, display_name_index = $4, grade = $5, skills = $6, capacity = $7,
    certified = $8, active = $9, presence = $10, presence_since = $11, version = $12, revision = $13
WHERE site = $1 AND person_id = $2
"""
_END_SPAN = "UPDATE presence_spans SET ended_at = $3 WHERE site = $1 AND person_id = $2 AND ended_at IS NULL"
_BEGIN_SPAN = """
INSERT INTO presence_spans (site, person_id, number, state, started_at, actor) VALUES ($1, $2, $3, $4, $5, $6)
"""
_SPANS = """
SELECT person_id, state, started_at, ended_at FROM presence_spans
WHERE site = $1 AND person_id = ANY ($2) AND (ended_at IS NULL OR ended_at > $3)
"""


PURPOSE: Final = "staffing.people.display_name"


class Store:
    """People of a site, in one schema."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def get(self, tx: Reading, site: str, person_id: str, *, lock: bool = False) -> Person:
        """One person; `lock` makes other writers of the same person wait. Raises NotFound."""
        row = await tx.fetchrow(_GET + (" FOR UPDATE" if lock else ""), site, person_id)
        if row is None:
            raise not_found(f"sites/{site}/people/{person_id}")
        return self._person(row)

    async def page(
        self, tx: Reading, site: str, *, after: str, states: Sequence[State], inactive: bool, limit: int
    ) -> list[Person]:
        """Up to `limit` people whose id follows `after`; no states means all."""
        rows = await tx.fetch(_LIST, site, after, inactive, [state.value for state in states], limit)
        return [self._person(row) for row in rows]

    async def insert(self, tx: Transaction, person: Person, *, actor: str) -> None:
        """Add a person with their first presence span; raises AlreadyExists."""
        if not await tx.fetchval(_INSERT, *self._values(person)):
            raise taken(person.name)
        await self._begin_span(tx, person, actor)

    async def update(self, tx: Transaction, before: Person, after: Person, *, actor: str) -> None:
        """Write a locked person back; a new presence ends the span before."""
        await tx.execute(_UPDATE, *self._values(after))
        if after.presence != before.presence:
            await tx.execute(_END_SPAN, after.site, after.id, after.presence.since)
            await self._begin_span(tx, after, actor)

    async def spans(self, tx: Reading, site: str, people: Sequence[str], *, since: datetime) -> dict[str, list[Span]]:
        """Presence spans that reach beyond `since`, by person."""
        found: dict[str, list[Span]] = {person: [] for person in people}
        for row in await tx.fetch(_SPANS, site, list(people), since):
            found[row["person_id"]].append(Span(State(row["state"]), row["started_at"], row["ended_at"]))
        return found

    async def _begin_span(self, tx: Transaction, person: Person, actor: str) -> None:
        presence = person.presence
        await tx.execute(
            _BEGIN_SPAN, person.site, person.id, person.version, presence.state.value, presence.since, actor
        )

    def _values(self, person: Person) -> tuple[object, ...]:
        profile, presence = person.profile, person.presence
        return (
            person.site,
            person.id,
            self._vault.seal(profile.display_name, purpose=PURPOSE, record=person.name),
            self._vault.index(profile.display_name, purpose=PURPOSE),
            profile.grade.value,
            list(profile.skills),
            profile.capacity,
            profile.certified,
            person.active,
            presence.state.value,
            presence.since,
            person.version,
            person.revision,
        )

    def _person(self, row: asyncpg.Record) -> Person:
        record = f"sites/{row['site']}/people/{row['person_id']}"
        return Person(
            site=row["site"],
            id=row["person_id"],
            profile=Profile(
                display_name=self._vault.open(row["display_name_sealed"], purpose=PURPOSE, record=record),
                grade=Grade(row["grade"]),
                skills=tuple(row["skills"]),
                capacity=row["capacity"],
                certified=row["certified"],
            ),
            active=row["active"],
            presence=Presence(State(row["presence"]), row["presence_since"]),
            version=row["version"],
            revision=row["revision"],
        )
