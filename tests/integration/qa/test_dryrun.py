"""A new profile on last quarter: what would it have paid?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from kefu.qa.v1 import scorecard_service_pb2 as api

from services.kit.errors import InvalidArgument
from tests.integration.qa.conftest import PROFILES
from tests.integration.qa.test_app import START, Whole, whole
from tests.integration.qa.working import Works

__all__ = ["whole"]

SERVICES = ("qa",)


async def test_another_version_is_tried_on_a_quarter_and_nothing_is_stored(whole: Whole) -> None:
    desk = Works(whole, "online-desk")
    for person, seconds in (("ann", 30), ("bob", 60)):
        await desk.day(
            person, datetime(2026, 9, 15, 1, tzinfo=UTC), conversations=30, first_response_s=seconds, online_h=6
        )
    await whole.advance(START)
    await desk.computed("2026-Q3")
    text = (PROFILES / "online-desk.yaml").read_text("utf-8")
    lax = text.replace(
        "response_speed: {group: BASIC, weight: 15, target: 30}",
        "response_speed: {group: BASIC, weight: 15, target: {value: 60, origin: site, reason: a slower desk}}",
    )
    assert lax != text
    request = api.DryRunScorecardsRequest(parent=desk.parent, period="2026-Q3", profile=lax, pool_fen=100_001)
    stored = await whole.database.fetchval("SELECT count(*) FROM scorecards")
    lines = {one.person: one for one in (await desk.scorecards.DryRunScorecards(request)).lines}
    assert lines["ann"].before.score == lines["ann"].after.score
    assert lines["bob"].before.score < lines["bob"].after.score == lines["ann"].after.score
    assert lines["bob"].before.bonus_fen < lines["bob"].after.bonus_fen
    for version in ("before", "after"):
        assert sum(getattr(one, version).bonus_fen for one in lines.values()) == 100_001
    assert await whole.database.fetchval("SELECT count(*) FROM scorecards") == stored
    request.profile = text.replace("weight: 15", "weight: 16")
    with pytest.raises(InvalidArgument) as refused:
        await desk.scorecards.DryRunScorecards(request)
    assert "scorecard" in refused.value.fields[0].description
