"""When a season of appraisals opens: by itself, on the profile's day, for the period that is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kefu.qa.v1 import appraisal_service_pb2 as api

from services.kit.errors import FailedPrecondition
from services.kit.testing.postgres import Databases
from tests.integration.qa.season import Season
from tests.integration.qa.test_app import running
from tests.integration.qa.working import Works

SERVICES = ("qa",)
EVE = datetime(2026, 11, 30, 8, tzinfo=UTC)  # four in the afternoon of the last day of the month


@pytest.mark.clause("MALL-6.2")
async def test_the_mall_appraises_last_month_at_the_start_of_the_month(
    databases: Databases, nats_url: str, tmp_path: Path
) -> None:
    async with running(databases, nats_url, tmp_path, EVE) as whole:
        works = Works(whole, "mall-centre")
        season = Season(whole, works)
        await works.day("ann", EVE - timedelta(hours=4), conversations=3, online_h=1)
        await whole.advance(EVE + timedelta(hours=1))
        with pytest.raises(FailedPrecondition) as refused:
            await season.open("2026-11")
        assert refused.value.metadata["guard"] == "PERIOD_LASTS"
        await whole.advance(datetime(2026, 11, 30, 20, tzinfo=UTC))  # four in the morning of the first
        listed = await season.appraisals().ListAppraisals(api.ListAppraisalsRequest(parent=season.parent))
        assert [(one.person, one.period) for one in listed.appraisals] == [("ann", "2026-11")]
        await season.close()
