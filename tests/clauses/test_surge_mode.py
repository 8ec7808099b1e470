"""A peak: at fifty customers online everybody is told, standby comes, and it ends below forty."""

from __future__ import annotations

import asyncio

import pytest
from kefu.intake.v1 import site_service_pb2 as api

from tests.integration.intake.desk import Desk


@pytest.mark.clause("ONLINE-3.2.1-1")
async def test_at_fifty_online_standby_is_called_up(desk: Desk) -> None:
    boss = desk.person("boss", "supervisor")
    opened = [await desk.customer(f"c-{number}").open() for number in range(49)]
    await desk.settle()

    async def board() -> tuple[int, bool]:
        shown = await boss.site.GetWallboard(api.GetWallboardRequest(parent=desk.parent))
        return shown.customers_online, shown.surge

    assert await board() == (49, False)
    stream = boss.site.WatchSite(api.WatchSiteRequest(parent=desk.parent))
    responses = stream.__aiter__()
    opened.append(await desk.customer("c-49").open())
    await desk.settle()
    assert await board() == (50, True)
    async with asyncio.timeout(10):
        while (response := await anext(responses)).kind != "surge_changed":
            pass
    stream.cancel()
    assert response.details["active"].lower() == "true"
    standby = await desk.staff("standby", capacity=8)
    assert sum([(await standby.get(one.name)).assignee == "standby" for one in opened]) == 8
    for number in range(8, 18):
        await desk.customer(f"c-{number}").leave(opened[number].name)
    await desk.settle()
    assert await board() == (40, True)
    await desk.customer("c-18").leave(opened[18].name)
    await desk.settle()
    assert await board() == (39, False)
