"""Satisfaction surveys: drafted with the campaign that sends them, answered by token, reminded of."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.crm.commands import campaigns as life
from services.crm.commands.sending import Sending, token_of
from services.crm.domain.campaign import Draft
from services.crm.domain.holdout import SEED_BYTES
from services.crm.domain.survey import Survey, reminder_due
from services.crm.errors import not_found, taken, wrong_state
from services.crm.store import campaigns, surveys
from services.crm.store.surveys import Answer
from services.crm.store.words import WordStore
from services.kit.audit import Entry
from services.kit.db import Database, Transaction
from services.kit.errors import InvalidArgument

COMMENT: Final = "COMMENT"
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Surveys:
    """Commands on surveys."""

    sending: Sending
    words: WordStore
    new_id: Callable[[], str]

    async def create(
        self, tx: Transaction, site: str, draft: Draft, question: Callable[[str], Survey], *, actor: str
    ) -> Survey:
        """Draft a survey with its campaign; `question` makes it for an id."""
        id_, seed = self.new_id(), secrets.token_bytes(SEED_BYTES)
        await life.create(tx, site=site, id_=id_, draft=draft, seed=seed, actor=actor)
        survey = question(id_)
        await surveys.insert(tx, survey)
        return survey

    async def answer(self, tx: Transaction, site: str, token: str, *, score: int, comment: str, actor: str) -> Answer:
        """Keep an answer. Raises NotFound for a wrong token, AlreadyExists for a second answer, FailedPrecondition once
        the survey is over, InvalidArgument off the scale."""
        message = token.partition(".")[0]
        right = hmac.compare_digest(token_of(self.sending.vault, message), token)
        found = await surveys.invited(tx, site, message) if right else None
        if found is None:
            raise not_found(f"sites/{site}/surveyAnswers/-")
        customer, id_ = found
        survey, campaign = await surveys.get(tx, site, id_), await campaigns.get(tx, site, id_)
        if campaign.state != "RUNNING":
            raise wrong_state(survey.name, campaign.state, "RUNNING")
        if not survey.scale.has(score):
            raise InvalidArgument.field("score", f"must lie between {survey.scale.least} and {survey.scale.most}")
        given = Answer(message, customer, score, tx.now)
        if not await surveys.answer(tx, site, id_, given):
            raise taken(f"{survey.name}/answers/{message}")
        await self.words.put(tx, site, customer, answer_name(survey, message), COMMENT, comment)
        tx.audit(Entry(site, actor, "survey.answer", survey.name, str(score)))
        return given

    async def remind(self, database: Database, site: str) -> None:
        """Write to everybody who was invited, has not answered, and whose reminder is due; page by page."""
        async with database.transaction(sites=[site]) as tx:
            found = await surveys.running(tx, site)
        for survey in found:
            after: str | None = ""
            while after is not None:
                async with database.transaction(sites=[site]) as tx:
                    after = await self._remind(tx, survey, after)

    async def _remind(self, tx: Transaction, survey: Survey, after: str) -> str | None:
        page = await surveys.unanswered(tx, survey, after=after, limit=BATCH)
        campaign = await campaigns.get(tx, survey.site, survey.id, lock=True)
        due = [one for one in page if reminder_due(one.invitation, survey.reminding, tx.now)]
        if campaign.state == "RUNNING":
            await self.sending.remind(
                tx, campaign, {one.message: (one.customer, one.invitation.reminders + 1) for one in due}
            )
        return page[-1].message if len(page) == BATCH else None


def answer_name(survey: Survey, message: str) -> str:
    """The name under which an answer's words lie."""
    return f"{survey.name}/answers/{message}"
