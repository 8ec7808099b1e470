"""Violations, penalties, rewards, ideas and improvements: by ladders, by two people, with evidence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from kefu.qa.v1 import matter_service_pb2 as api

from services.kit.errors import FailedPrecondition, KefuError, NotFound, PermissionDenied
from tests.integration.qa.season import Matter, Season
from tests.integration.qa.test_app import START, Whole, whole
from tests.integration.qa.working import Works, lines

__all__ = ["whole"]

SERVICES = ("qa",)
ACTION, PROPOSAL, VIOLATION = Matter.KIND_ACTION, Matter.KIND_PROPOSAL, Matter.KIND_VIOLATION
PENALTY, REWARD = Matter.KIND_PENALTY, Matter.KIND_REWARD
MINOR, SERIOUS = Matter.SEVERITY_MINOR, Matter.SEVERITY_SERIOUS


@pytest_asyncio.fixture(loop_scope="session")
async def seasons(whole: Whole) -> AsyncIterator[dict[str, Season]]:
    """Sites by name."""
    made = {
        name: Season(whole, Works(whole, name)) for name in ("live-room", "mall-centre", "taobao-shop", "online-desk")
    }
    yield made
    for season in made.values():
        await season.close()


async def refused(attempt: Any) -> str:
    with pytest.raises(KefuError) as error:
        await attempt
    return error.value.metadata.get("guard") or error.value.metadata.get("setting") or error.value.reason_name


def seen(season: Season) -> list[str]:
    return [f"{season.parent}/conversations/c-1"]


@pytest.mark.clause("LIVE-6.2.1-1", "LIVE-6.2.2-1", "MALL-3.3.2-2")
async def test_a_violation_is_reported_with_evidence_and_confirmed_by_another(seasons: dict[str, Season]) -> None:
    for site, code, severity in (
        ("live-room", "ATTITUDE", MINOR),
        ("live-room", "PROCEDURE", MINOR),
        ("live-room", "DATA_LEAK", SERIOUS),
        ("mall-centre", "NON_WORK", MINOR),
    ):
        season = seasons[site]
        with pytest.raises(PermissionDenied):
            await season.matter(VIOLATION, code, by="bob", role="agent", severity=severity)
        bare = await season.matter(VIOLATION, code, severity=severity)
        assert await refused(season.step(bare, "confirm")) == "EVIDENCE_MISSING"
        violation = await season.matter(VIOLATION, code, severity=severity, evidence=seen(season))
        assert await refused(season.step(violation, "confirm", by="sup")) == "SAME_PERSON"
        confirmed = await season.step(violation, "confirm")
        assert (confirmed.state, list(confirmed.approvers)) == ("CONFIRMED", ["boss"])


@pytest.mark.clause("ONLINE-4.1.2-3")
async def test_one_confirmed_violation_takes_all_points_for_standards(whole: Whole, seasons: dict[str, Season]) -> None:
    season = seasons["online-desk"]
    await season.works.day("eve", START, conversations=3, online_h=1)
    await whole.advance(START + timedelta(days=1))
    clean = lines((await season.works.computed("2026-11"))["eve"])["standards"]
    assert (clean.value, clean.points) == (0, 10)
    violation = await season.matter(VIOLATION, "PROCEDURE", "eve", severity=MINOR, evidence=seen(season))
    await season.step(violation, "dismiss", note="a mistake")
    assert lines((await season.works.computed("2026-11"))["eve"])["standards"].points == 10
    violation = await season.matter(VIOLATION, "PROCEDURE", "eve", severity=MINOR, evidence=seen(season))
    await season.step(violation, "confirm")
    spoilt = lines((await season.works.computed("2026-11"))["eve"])["standards"]
    assert (spoilt.value, spoilt.points, spoilt.source) == (1, 0, "COMPUTED")


@pytest.mark.clause("LIVE-6.2.1-2")
async def test_a_minor_violation_brings_warning_or_coaching_and_nothing_harder(seasons: dict[str, Season]) -> None:
    season = seasons["live-room"]
    for code in ("FINE", "DEMOTION", "DISMISSAL"):
        assert await refused(season.matter(PENALTY, code, severity=MINOR)) == "penalty.minor"
    for code in ("WARNING", "COACHING"):
        penalty = await season.matter(PENALTY, code, severity=MINOR, evidence=seen(season))
        assert (await season.step(penalty, "approve_minor")).state == "NOTIFIED"


@pytest.mark.clause("LIVE-6.2.2-2", "TAOBAO-3-3.4.2-2", "MALL-6.3.2")
async def test_a_serious_penalty_takes_two_people_and_waits_for_an_appeal(
    whole: Whole, seasons: dict[str, Season]
) -> None:
    for site, code in (("live-room", "DEMOTION"), ("taobao-shop", "DISMISSAL"), ("mall-centre", "TRANSFER")):
        season = seasons[site]
        penalty = await season.matter(PENALTY, code, severity=SERIOUS, evidence=seen(season))
        assert await refused(season.step(penalty, "approve_minor")) == "TWO_APPROVALS_NEEDED"
        assert await refused(season.step(penalty, "second", by="sup")) == "SAME_PERSON"
        await season.step(penalty, "second", by="boss")
        assert await refused(season.step(penalty, "approve", by="boss")) == "SAME_PERSON"
        told = await season.step(penalty, "approve", by="chief")
        assert (told.state, list(told.approvers)) == ("NOTIFIED", ["boss", "chief"])
        assert await refused(season.step(penalty, "apply")) == "APPEAL_POSSIBLE"
        assert await refused(season.step(penalty, "appeal", by="bob", role="agent", note="no")) == "NOT_CONCERNED"
        await season.step(penalty, "appeal", by="ann", role="agent", note="it was not me")
        assert (await season.step(penalty, "revoke", by="owner", note="right")).state == "REVOKED"


@pytest.mark.clause("LIVE-6.2.2-2")
async def test_a_fine_needs_the_laws_leave(seasons: dict[str, Season]) -> None:
    ask = seasons["live-room"].matter(PENALTY, "FINE", severity=SERIOUS, amount_fen=10_000)
    assert await refused(ask) == "penalty.fines_lawful"


@pytest.mark.clause("MALL-6.3.2")
async def test_a_penalty_is_applied_once_its_window_is_over(whole: Whole, seasons: dict[str, Season]) -> None:
    season = seasons["mall-centre"]
    penalty = await season.matter(PENALTY, "BONUS_CUT", severity=MINOR, evidence=seen(season))
    told = await season.step(penalty, "approve_minor")
    await whole.advance(told.due_time.ToDatetime(UTC) + timedelta(minutes=1))
    assert await refused(season.step(penalty, "appeal", by="ann", role="agent", note="late")) == "WINDOW_OVER"
    assert (await season.step(penalty, "apply")).state == "APPLIED"


@pytest.mark.parametrize(
    ("site", "award"),
    [
        pytest.param(site, award, marks=pytest.mark.clause(clause), id=clause)
        for clause, site, award in (
            ("LIVE-6.1.1", "live-room", "OUTSTANDING"),
            ("LIVE-6.1.3", "live-room", "CSAT"),
            ("TAOBAO-1-5.3.2", "taobao-shop", "EXCELLENT_AGENT"),
            ("TAOBAO-4-5.2.1", "taobao-shop", "CSAT"),
            ("TAOBAO-4-5.2.2", "taobao-shop", "CUSTOMER_MAINTENANCE"),
            ("TAOBAO-5-3.4.3", "taobao-shop", "KNOWLEDGE"),
        )
    ],
)
async def test_an_award_has_evidence_a_second_person_and_a_ledger(
    seasons: dict[str, Season], site: str, award: str
) -> None:
    season = seasons[site]
    assert await refused(season.matter(REWARD, "NOT_GIVEN_HERE")) == "reward.awards"
    bare = await season.matter(REWARD, award)
    assert await refused(season.step(bare, "approve")) == "EVIDENCE_MISSING"
    reward = await season.matter(REWARD, award, evidence=seen(season), amount_fen=88_800)
    assert await refused(season.step(reward, "approve", by="sup", role="manager")) == "SAME_PERSON"
    for step in ("approve", "grant", "pay"):
        await season.step(reward, step)
    read = await season.matters("ann", "agent").GetMatter(api.GetMatterRequest(name=reward.name))
    assert [(one.step, one.actor, one.amount_fen) for one in read.steps] == [
        ("open", "sup", 88_800), ("approve", "boss", 88_800), ("grant", "boss", 88_800), ("pay", "boss", 88_800),
    ]  # fmt: skip
    with pytest.raises(NotFound):
        await season.matters("bob", "agent").GetMatter(api.GetMatterRequest(name=reward.name))


@pytest.mark.clause("LIVE-6.1.2")
async def test_an_idea_is_rewarded_once_its_effect_is_proven(seasons: dict[str, Season]) -> None:
    season = seasons["live-room"]
    idea = await season.matter(PROPOSAL, "INNOVATION", by="ann", role="agent")
    with pytest.raises(FailedPrecondition):
        await season.step(idea, "reward")
    await season.step(idea, "try")
    assert await refused(season.step(idea, "prove")) == "EFFECT_MISSING"
    await season.step(idea, "prove", note="questions about size fell from 31 to 12 a show")
    assert (await season.step(idea, "reward")).state == "REWARDED"
    reward = await season.matter(REWARD, "INNOVATION", evidence=[idea.name])
    assert (await season.step(reward, "approve")).state == "APPROVED"


@pytest.mark.clause("LIVE-1.3.4", "MALL-1.3.4", "TAOBAO-1-3.4.2")
async def test_an_improvement_has_owner_date_and_effect_and_is_verified_by_another(seasons: dict[str, Season]) -> None:
    for site in ("live-room", "mall-centre", "taobao-shop"):
        season = seasons[site]
        request = api.CreateMatterRequest(
            parent=season.parent,
            kind=ACTION,
            code="PROCESS",
            person="ann",
            title="one step less",
            evidence=seen(season),
        )
        request.due_time.FromDatetime(datetime(2027, 1, 1, tzinfo=UTC))
        action = await season.matters("ann", "agent").CreateMatter(request)
        assert (action.state, action.person, action.due_time.ToDatetime(UTC).year) == ("PROPOSED", "ann", 2027)
        await season.step(action, "start", by="ann", role="agent")
        assert await refused(season.step(action, "finish", by="ann", role="agent")) == "EFFECT_MISSING"
        await season.step(action, "finish", by="ann", role="agent", note="p95 of QUEUED 310 s before, 140 s after")
        assert await refused(season.step(action, "verify", by="ann", role="manager")) == "SAME_PERSON"
        with pytest.raises(PermissionDenied):
            await season.step(action, "verify", by="bob", role="agent")
        assert (await season.step(action, "verify")).state == "VERIFIED"
