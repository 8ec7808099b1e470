"""SQL of reviews."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from services.kit.db import Reading, Transaction
from services.qa.domain.review import Place, Review
from services.qa.domain.rubric import Answer
from services.qa.errors import not_found

_COLUMNS: Final = """site, review_id, recording_id, person, reviewer, rubric_id, origin, state, revision, assigned_at,
    due_at, overdue, submitted_at, score, failed, answers, evidence, coaching, dispute, replaces, disputes"""
_INSERT: Final = """
INSERT INTO reviews (site, review_id, recording_id, person, reviewer, rubric_id, origin, state, revision, assigned_at,
    due_at, replaces, disputes)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'ASSIGNED', 1, $8, $9, $10, $11)
"""
_GET: Final = f"SELECT {_COLUMNS} FROM reviews WHERE site = $1 AND review_id = $2"
_PUT: Final = """
UPDATE reviews SET state = $3, revision = $4, overdue = $5, submitted_at = $6, score = $7, failed = $8, answers = $9,
    evidence = $10, coaching = $11, dispute = $12
WHERE site = $1 AND review_id = $2
"""
_UNDER: Final = "SELECT recording_id FROM reviews WHERE site = $1 AND recording_id = ANY ($2::uuid[])"
_SUBMITTED: Final = """
SELECT EXISTS (SELECT FROM reviews WHERE site = $1 AND recording_id = $2 AND submitted_at IS NOT NULL)
"""
_REVIEWERS: Final = "SELECT reviewer FROM reviews WHERE site = $1 AND recording_id = $2"
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM reviews
WHERE site = $1 AND (assigned_at, review_id) < ($2, $3::uuid)
  AND ($4 = '' OR person = $4) AND ($5 = '' OR reviewer = $5) AND ($6 = '' OR state = $6) AND (overdue OR NOT $7)
  AND ($8 = '' OR reviewer = $8 OR (person = $8 AND state <> 'ASSIGNED'))
ORDER BY assigned_at DESC, review_id DESC LIMIT $9
"""
_WAITING: Final = """
SELECT recording_id FROM reviews WHERE site = $1 AND reviewer = $2 AND state = 'ASSIGNED'
"""
# A disputed review's place is taken by the one after it. What was drawn at random counts whatever it was reviewed for.
_COUNTED: Final = """
SELECT r.person, rec.channel, r.score, r.review_id
FROM reviews r JOIN recordings rec USING (site, recording_id)
WHERE r.site = $1 AND r.state IN ('SUBMITTED', 'ACKNOWLEDGED') AND rec.ended_at >= $2 AND rec.ended_at < $3
  AND EXISTS (
    SELECT FROM samples s
    WHERE s.site = r.site AND s.recording_id = r.recording_id AND s.kind = 'RANDOM' AND s.replace_reason = '')
"""
_POPULATION: Final = """
SELECT person, channel, count(*) AS number FROM recordings
WHERE site = $1 AND ended_at >= $2 AND ended_at < $3 AND person <> '' GROUP BY person, channel
"""


async def insert(tx: Transaction, review: Review) -> None:
    """Add an assigned review."""
    given = (review.site, review.id, review.recording, review.person, review.reviewer, review.rubric, review.origin)
    await tx.execute(_INSERT, *given, review.assigned_at, review.due_at, review.replaces or None, review.disputes)


async def get(tx: Reading, site: str, review_id: str, *, lock: bool = False) -> Review:
    """One review, locked if asked to. Raises NotFound."""
    row = await tx.fetchrow(f"{_GET} FOR UPDATE" if lock else _GET, site, review_id)
    if row is None:
        raise not_found(f"sites/{site}/reviews/{review_id}")
    return _review(row)


async def put(tx: Transaction, review: Review) -> None:
    """Write a locked review back."""
    await tx.execute(
        _PUT,
        review.site,
        review.id,
        review.state,
        review.revision,
        review.overdue,
        review.submitted_at,
        review.score,
        list(review.failed),
        json.dumps([asdict(one) for one in review.answers], ensure_ascii=False),
        json.dumps([asdict(one) for one in review.evidence], ensure_ascii=False),
        review.coaching,
        review.dispute,
    )


async def under_review(tx: Reading, site: str, recordings: Sequence[str]) -> set[str]:
    """Which of these recordings have a review already."""
    return {str(row["recording_id"]) for row in await tx.fetch(_UNDER, site, recordings)}


async def submitted(tx: Reading, site: str, recording: str) -> bool:
    """Whether somebody has reviewed a recording."""
    return bool(await tx.fetchval(_SUBMITTED, site, recording))


async def reviewers(tx: Reading, site: str, recording: str) -> set[str]:
    """Everybody who has reviewed a recording, or is to."""
    return {row["reviewer"] for row in await tx.fetch(_REVIEWERS, site, recording)}


async def page(
    tx: Reading,
    site: str,
    *,
    before: tuple[datetime, str],
    limit: int,
    person: str = "",
    reviewer: str = "",
    state: str = "",
    overdue: bool = False,
    reader: str = "",
) -> list[Review]:
    """Reviews before a position, latest first; `reader` limits them to what that person may see."""
    rows = await tx.fetch(_PAGE, site, *before, person, reviewer, state, overdue, reader, limit)
    return [_review(row) for row in rows]


async def waiting_for(tx: Reading, site: str, reviewer: str) -> set[str]:
    """Recordings that somebody still has to review."""
    return {str(row["recording_id"]) for row in await tx.fetch(_WAITING, site, reviewer)}


async def counted(tx: Reading, site: str, begin: datetime, end: datetime) -> list[tuple[str, str, float]]:
    """(person, channel, score) of recordings that ended in a time and were drawn at random; each once."""
    rows = await tx.fetch(_COUNTED, site, begin, end)
    return [(row["person"], row["channel"], row["score"]) for row in rows]


async def population(tx: Reading, site: str, begin: datetime, end: datetime) -> dict[tuple[str, str], int]:
    """(person, channel) → recordings that ended in a time."""
    rows = await tx.fetch(_POPULATION, site, begin, end)
    return {(row["person"], row["channel"]): row["number"] for row in rows}


def _review(row: Any) -> Review:
    text = ("review_id", "recording_id", "rubric_id")
    apart = {"id", "recording", "rubric", "answers", "evidence", "failed", "replaces"}
    fields = {name: row[name] for name in Review.__slots__ if name not in apart}
    id_, recording, rubric = (str(row[name]) for name in text)
    return Review(
        id=id_,
        recording=recording,
        rubric=rubric,
        answers=tuple(Answer(**one) for one in json.loads(row["answers"])),
        evidence=tuple(Place(**one) for one in json.loads(row["evidence"])),
        failed=tuple(row["failed"]),
        replaces="" if row["replaces"] is None else str(row["replaces"]),
        **fields,
    )
