"""SQL of teams and reviewers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.kit.db import Reading, Transaction

_PUT: Final = """
INSERT INTO members (site, person, team, reviewer) VALUES ($1, $2, $3, $4)
ON CONFLICT (site, person) DO UPDATE SET team = excluded.team, reviewer = excluded.reviewer
"""
_PAGE: Final = """
SELECT person, team, reviewer FROM members WHERE site = $1 AND person > $2 ORDER BY person LIMIT $3
"""
_TEAMS: Final = "SELECT person, team FROM members WHERE site = $1 AND team <> ''"
# Locked, so that two who assign at once see each other's work; who left reviews no more.
_REVIEWERS: Final = """
SELECT m.person FROM members m
WHERE m.site = $1 AND m.reviewer
  AND NOT EXISTS (SELECT FROM people p WHERE p.site = m.site AND p.person = m.person AND NOT p.active)
ORDER BY m.person FOR UPDATE OF m
"""
_OPEN: Final = """
SELECT reviewer, count(*) AS number FROM reviews WHERE site = $1 AND state = 'ASSIGNED' GROUP BY reviewer
"""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody's team, and whether they review."""

    person: str
    team: str
    reviewer: bool


async def put(tx: Transaction, site: str, member: Member) -> None:
    """Say it, or say it anew."""
    await tx.execute(_PUT, site, member.person, member.team, member.reviewer)


async def page(tx: Reading, site: str, *, after: str, limit: int) -> list[Member]:
    """Members after an id."""
    return [Member(**dict(row)) for row in await tx.fetch(_PAGE, site, after, limit)]


async def teams(tx: Reading, site: str) -> dict[str, str]:
    """Person → team."""
    return {row["person"]: row["team"] for row in await tx.fetch(_TEAMS, site)}


async def load(tx: Transaction, site: str) -> dict[str, int]:
    """Reviewer → reviews that wait for them; nobody else assigns until this transaction ends."""
    reviewers = [row["person"] for row in await tx.fetch(_REVIEWERS, site)]
    held = {row["reviewer"]: row["number"] for row in await tx.fetch(_OPEN, site)}
    return {person: held.get(person, 0) for person in reviewers}
