"""SQL of surveys, their answers, and who has not answered yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.crm.domain.survey import Invitation, Reminding, Scale, Survey
from services.crm.errors import not_found
from services.kit.db import Transaction

_COLUMNS: Final = "site, id, question, least, most, satisfied_from, reminder_after_d, reminders"
_INSERT: Final = f"INSERT INTO surveys ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
_GET: Final = f"SELECT {_COLUMNS} FROM surveys WHERE site = $1 AND id = $2"
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM surveys WHERE site = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3
"""
_INVITED: Final = """
SELECT m.customer, m.campaign FROM care_messages m
WHERE m.site = $1 AND m.id = $2 AND m.left_at IS NOT NULL AND m.follows = ''
"""
_ANSWER: Final = """
INSERT INTO survey_answers (site, message, survey, customer, score, at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING true
"""
_ANSWERS: Final = """
SELECT message, customer, score, at FROM survey_answers
WHERE site = $1 AND survey = $2 AND (at, message) < ($3, $4) ORDER BY at DESC, message DESC LIMIT $5
"""
_SCORES: Final = "SELECT score, count(*) AS answers FROM survey_answers WHERE site = $1 AND survey = $2 GROUP BY score"
_COUNTS: Final = """
SELECT count(*) FILTER (WHERE follows = '') AS invited, count(*) FILTER (WHERE follows <> '') AS reminded
FROM care_messages WHERE site = $1 AND campaign = $2 AND left_at IS NOT NULL
"""
# Invitations that left and were not answered, with the reminders that are on their way or came.
_OPEN: Final = """
SELECT m.id, m.customer, m.left_at, count(r.id) AS reminders, max(coalesce(r.left_at, r.planned_at)) AS reminded_at
FROM care_messages m LEFT JOIN care_messages r ON r.site = m.site AND r.follows = m.id AND r.follows <> ''
WHERE m.site = $1 AND m.campaign = $2 AND m.follows = '' AND m.left_at IS NOT NULL AND m.id > $3
    AND NOT EXISTS (SELECT FROM survey_answers a WHERE a.site = m.site AND a.message = m.id)
GROUP BY m.id, m.customer, m.left_at HAVING count(r.id) < $4 ORDER BY m.id LIMIT $5
"""
_RUNNING: Final = f"""
SELECT {", ".join(f"s.{one}" for one in _COLUMNS.split(", "))} FROM surveys s JOIN campaigns c USING (site, id)
WHERE s.site = $1 AND c.state = 'RUNNING' AND s.reminders > 0 ORDER BY s.id
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; the comment lies with the words."""

    message: str
    customer: str
    score: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Unanswered:
    """An invitation without an answer."""

    message: str
    customer: str
    invitation: Invitation


async def insert(tx: Transaction, survey: Survey) -> None:
    """Add one."""
    scale, rule = survey.scale, survey.reminding
    values = (survey.question, scale.least, scale.most, scale.satisfied_from, rule.after.days, rule.most)
    await tx.execute(_INSERT, survey.site, survey.id, *values)


async def get(tx: Transaction, site: str, id_: str) -> Survey:
    """One survey. Raises NotFound."""
    row = await tx.fetchrow(_GET, site, id_)
    if row is None:
        raise not_found(f"sites/{site}/surveys/{id_}")
    return _survey(row)


async def page(tx: Transaction, site: str, *, before: str, limit: int) -> list[Survey]:
    """Surveys, newest first."""
    return [_survey(row) for row in await tx.fetch(_PAGE, site, before, limit)]


async def running(tx: Transaction, site: str) -> list[Survey]:
    """Surveys that can be answered now and remind."""
    return [_survey(row) for row in await tx.fetch(_RUNNING, site)]


async def invited(tx: Transaction, site: str, message: str) -> tuple[str, str] | None:
    """Customer and survey of an invitation that left; None for any other message."""
    row = await tx.fetchrow(_INVITED, site, message)
    return None if row is None else (row["customer"], row["campaign"])


async def answer(tx: Transaction, site: str, survey: str, given: Answer) -> bool:
    """Keep an answer; False where the invitation has one."""
    values = (given.message, survey, given.customer, given.score, given.at)
    return bool(await tx.fetchval(_ANSWER, site, *values))


async def answers(tx: Transaction, site: str, survey: str, *, before: tuple[datetime, str], limit: int) -> list[Answer]:
    """Answers before a position, latest first."""
    rows: list[Any] = await tx.fetch(_ANSWERS, site, survey, *before, limit)
    return [Answer(row["message"], row["customer"], row["score"], row["at"]) for row in rows]


async def scores(tx: Transaction, site: str, survey: str) -> list[int]:
    """Every score, in no order."""
    rows = await tx.fetch(_SCORES, site, survey)
    return [row["score"] for row in rows for _ in range(row["answers"])]


async def counts(tx: Transaction, site: str, survey: str) -> tuple[int, int]:
    """Invitations and reminders that left."""
    row = await tx.fetchrow(_COUNTS, site, survey)
    assert row is not None
    return row["invited"], row["reminded"]


async def unanswered(tx: Transaction, survey: Survey, *, after: str, limit: int) -> list[Unanswered]:
    """Invitations by id that may still be reminded of."""
    rows: list[Any] = await tx.fetch(_OPEN, survey.site, survey.id, after, survey.reminding.most, limit)
    return [
        Unanswered(
            row["id"], row["customer"], Invitation(row["left_at"], row["reminders"], row["reminded_at"], answered=False)
        )
        for row in rows
    ]


def _survey(row: Any) -> Survey:
    return Survey(
        row["site"],
        row["id"],
        row["question"],
        Scale(row["least"], row["most"], row["satisfied_from"]),
        Reminding(timedelta(days=row["reminder_after_d"]), row["reminders"]),
    )
