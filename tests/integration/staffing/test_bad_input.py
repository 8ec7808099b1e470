"""Bad input on every write of staffing, and on what planning is asked: a clear error, nothing stored."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from kefu.staffing.v1 import planning_service_pb2, staffing_service_pb2
from kefu.staffing.v1.planning_service_pb2_grpc import PlanningServiceStub
from kefu.staffing.v1.staffing_service_pb2_grpc import StaffingServiceStub

from services.kit.db import Database
from tests.integration import bad_input
from tests.integration.bad_input import Target
from tests.integration.staffing.conftest import Staffing

SERVICES = ("staffing",)
STAFFING = staffing_service_pb2.DESCRIPTOR.services_by_name["StaffingService"]
PLANNING = planning_service_pb2.DESCRIPTOR.services_by_name["PlanningService"]
WRITES = bad_input.writes(STAFFING)
# Planning stores nothing, but takes as many figures.
ASKED = [*WRITES, *PLANNING.methods]
asked = pytest.mark.parametrize("method", ASKED, ids=lambda method: method.name)
PERSON = {"display_name": "王芳", "grade": "GRADE_SENIOR", "skills": ["PRESALES"], "capacity": 5}

FILLED: dict[str, dict[str, Any]] = {
    "CreatePerson": {"person_id": "wang", "person": PERSON},
    "UpdatePerson": {"person": PERSON, "update_mask": "capacity"},
    "SetPresence": {"state": "STATE_AVAILABLE"},
    "SizeStaff": {"contacts": 100, "handling_seconds": 300},
}


@pytest_asyncio.fixture
async def target(staffing: Staffing, database: Database) -> Target:
    """Staffing, for an administrator of one site."""
    channel = staffing.channel("root", desk="admin")
    stubs: dict[str, Any] = {
        "StaffingService": StaffingServiceStub(channel),
        "PlanningService": PlanningServiceStub(channel),
    }

    async def call(method: MethodDescriptor, message: Message) -> Message:
        reply: Message = await getattr(stubs[method.containing_service.name], method.name)(message)
        return reply

    return Target(
        call=call,
        database=database,
        address=staffing.address,
        token=staffing.token("root", desk="admin"),
        filled=FILLED,
        site="desk",
        elsewhere="mall",
    )


@asked
async def test_each_field_too_long_or_malformed_is_named(target: Target, method: MethodDescriptor) -> None:
    await bad_input.each_fault_is_named(target, method)


@asked
async def test_an_empty_request_names_what_is_missing(target: Target, method: MethodDescriptor) -> None:
    await bad_input.missing_is_named(target, method)


@pytest.mark.parametrize("method", bad_input.of_existing(WRITES), ids=lambda method: method.name)
async def test_an_unknown_person_is_not_found(target: Target, method: MethodDescriptor) -> None:
    await bad_input.unknown_is_not_found(target, method)


@asked
async def test_another_sites_person_is_refused_without_a_word_on_whether_there_is_one(
    make: Any, target: Target, method: MethodDescriptor
) -> None:
    theirs = await make(site="mall")
    await bad_input.elsewhere_says_nothing(target, method, theirs.name.rsplit("/", 1)[1])


@asked
async def test_bytes_that_are_no_message_are_an_invalid_argument(target: Target, method: MethodDescriptor) -> None:
    await bad_input.bytes_are_refused(target, method)


async def test_every_refusal_is_typed(target: Target) -> None:
    for method in (*STAFFING.methods, *PLANNING.methods):
        await bad_input.refusal_is_typed(target, method)
