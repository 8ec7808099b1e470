"""Questions about staff over the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from kefu.staffing.v1 import planning_service_pb2 as api
from kefu.staffing.v1.planning_service_pb2_grpc import PlanningServiceStub, add_PlanningServiceServicer_to_server

from services.kit.access import Access
from services.kit.errors import KefuError
from services.kit.testing.grpc import Running, serve
from services.staffing.servicer.planning import PlanningServicer
from tests.integration.staffing.conftest import zone

ACCESS = Access.of({"roles": {"planner": ["reports.read"], "agent": ["people.read"]}})
DESK: dict[str, Any] = {"parent": "sites/desk", "contacts": 100, "interval_seconds": 1_800, "handling_seconds": 180}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def planning(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    registered = [(add_PlanningServiceServicer_to_server, PlanningServicer(zone))]
    async with serve(registered, keys_folder=tmp_path_factory.mktemp("keys"), access=ACCESS) as running:
        yield running


async def ask(planning: Running, role: str = "planner", **fields: Any) -> api.SizeStaffResponse:
    stub: Any = PlanningServiceStub(planning.channel(planning.token(sites={"desk": [role]})))
    found: api.SizeStaffResponse = await stub.SizeStaff(api.SizeStaffRequest(**(DESK | fields)))
    return found


async def test_people_for_a_promise(planning: Running) -> None:
    found = await ask(planning, most_occupied=0.85, shrinkage=0.3)
    assert (found.present, found.scheduled) == (14, 20)
    assert found.formula.of_offered == pytest.approx(0.88835, abs=5e-6)
    assert abs(found.simulated.of_offered - found.formula.of_offered) < 4 * found.simulated_error
    assert list(found.outside_validated_region) == []


async def test_what_if(planning: Running) -> None:
    base = await ask(planning, patience_seconds=300)
    assert (await ask(planning, patience_seconds=300, contacts=150)).present > base.present
    assert (await ask(planning, patience_seconds=300, handling_seconds=240)).present > base.present
    assert (await ask(planning, patience_seconds=300, level=0.95)).present > base.present
    fewer = await ask(planning, patience_seconds=300, present=base.present - 3)
    assert fewer.formula.of_offered < 0.8
    assert fewer.formula.abandoned > base.formula.abandoned


async def test_the_definitions_differ(planning: Running) -> None:
    kinds = api.SizeStaffRequest
    strict = await ask(planning, patience_seconds=60, definition=kinds.DEFINITION_OFFERED)
    loose = await ask(planning, patience_seconds=60, definition=kinds.DEFINITION_ANY)
    assert strict.present > loose.present


async def test_a_queue_that_grows_for_ever_has_no_wait(planning: Running) -> None:
    found = await ask(planning, present=9)
    assert not found.formula.HasField("wait_seconds")
    assert not found.HasField("simulated")
    assert found.formula.of_offered == 0


@pytest.mark.parametrize(
    ("fields", "role", "reason"),
    [
        ({"level": 1.0}, "planner", "INVALID_FIELD"),
        ({"handling_seconds": 0}, "planner", "INVALID_FIELD"),
        ({"contacts": float("nan")}, "planner", "INVALID_FIELD"),
        ({"contacts": 1_000_000, "handling_seconds": 80_000}, "planner", "INVALID_FIELD"),
        ({}, "agent", "PERMISSION_DENIED"),
        ({"parent": "sites/other"}, "planner", "PERMISSION_DENIED"),
    ],
)
async def test_what_is_refused(planning: Running, fields: dict[str, Any], role: str, reason: str) -> None:
    with pytest.raises(KefuError, match=reason):
        await ask(planning, role, **fields)
