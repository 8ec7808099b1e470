"""Bad input on every write of reviews, scorecards, appraisals and what follows: a clear error, nothing stored."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from kefu.qa.v1 import (
    appraisal_service_pb2,
    bonus_service_pb2,
    calibration_service_pb2,
    matter_service_pb2,
    review_service_pb2,
    scorecard_service_pb2,
)
from kefu.qa.v1.appraisal_service_pb2_grpc import AppraisalServiceStub
from kefu.qa.v1.bonus_service_pb2_grpc import BonusServiceStub
from kefu.qa.v1.calibration_service_pb2_grpc import CalibrationServiceStub
from kefu.qa.v1.matter_service_pb2_grpc import MatterServiceStub
from kefu.qa.v1.review_service_pb2_grpc import ReviewServiceStub
from kefu.qa.v1.scorecard_service_pb2_grpc import ScorecardServiceStub

from services.kit.db import Database
from tests.integration import bad_input
from tests.integration.bad_input import Target
from tests.integration.qa.conftest import LIVE, SITE, Qa

SERVICES = ("qa",)
STUBS: dict[str, tuple[Any, Any]] = {
    "AppraisalService": (appraisal_service_pb2, AppraisalServiceStub),
    "BonusService": (bonus_service_pb2, BonusServiceStub),
    "CalibrationService": (calibration_service_pb2, CalibrationServiceStub),
    "MatterService": (matter_service_pb2, MatterServiceStub),
    "ReviewService": (review_service_pb2, ReviewServiceStub),
    "ScorecardService": (scorecard_service_pb2, ScorecardServiceStub),
}
WRITES = [
    method
    for service, (module, _) in STUBS.items()
    for method in bad_input.writes(module.DESCRIPTOR.services_by_name[service])
]
PUTS = {"SetMember"}  # makes what is not there
writes = pytest.mark.parametrize("method", WRITES, ids=lambda method: method.name)
existing = pytest.mark.parametrize(
    "method", [one for one in bad_input.of_existing(WRITES) if one.name not in PUTS], ids=lambda method: method.name
)
CRITERION = {"id": "warmth", "title_zh": "热情", "title_en": "Warmth", "weight": 100, "clauses": ["LIVE-3.1.1-3"]}
RECORDINGS = [f"sites/{SITE}/recordings/01a212f5-0000-7000-8000-00000000000{n}" for n in (1, 2)]
PERIOD = {"period": "2026-09"}
FILLED: bad_input.Filled = {
    "CreateRubric": {"rubric": {"series": "conversations", "criteria": [CRITERION]}},
    "SetMember": {"member": {"name": f"sites/{SITE}/members/ann", "team": "day", "reviewer": True}},
    "AssignReviews": {"recordings": RECORDINGS, "series": "conversations", "origin": "ORIGIN_DRAWN"},
    "SubmitReview": {
        "answers": [{"criterion": "warmth", "mark": 8, "comment": "good"}],
        "evidence": [{"at_seconds": 1, "until_seconds": 2, "criterion": "warmth", "note": "here"}],
        "coaching": "smile",
    },
    "DisputeReview": {"reason": "not so"},
    "StateMetrics": {
        **PERIOD,
        "source": "SOURCE_IMPORTED",
        "origin": "file",
        "values": [{"person": "ann", "metric": "conversion", "value": 5}],
    },
    "ComputeScorecards": PERIOD,
    "DryRunScorecards": {**PERIOD, "profile": "site: online-desk"},
    "FreezeScorecards": PERIOD,
    "OpenAppraisals": {"period": "2026-Q3"},
    "RateAppraisal": {"marks": {"initiative": 8}, "comment": "good"},
    "RatePeer": {"mark": 8},
    "AppealAppraisal": {"reason": "not so"},
    "DecideAppeal": {"decision": "right"},
    "CloseAppraisal": {
        "plans": [{"miss": "csat", "action": "practise", "owner": "ann", "due_time": "2027-01-01T00:00:00Z"}]
    },
    "CreateMatter": {
        "kind": "KIND_VIOLATION",
        "code": "ATTITUDE",
        "severity": "SEVERITY_MINOR",
        "person": "ann",
        "title": "curt",
        "evidence": [f"sites/{SITE}/reviews/r1"],
    },
    "StepMatter": {"step": "confirm", "note": "seen"},
    "CreateCalibration": {"series": "conversations", "recordings": RECORDINGS, "reviewers": ["rob", "sue"]},
    "MarkCalibration": {"recording": RECORDINGS[0], "mark": 8},
    "CreateBonusPool": {**PERIOD, "base_fen": 100, "attainment": 1},
}


@pytest_asyncio.fixture
async def target(qa: Qa, database: Database) -> Target:
    """qa, for an administrator of one site."""
    channel = qa.channel("root", site=SITE)
    stubs = {service: stub(channel) for service, (_, stub) in STUBS.items()}

    async def call(method: MethodDescriptor, message: Message) -> Message:
        reply: Message = await getattr(stubs[method.containing_service.name], method.name)(message)
        return reply

    token = qa.token("root", site=SITE)
    return Target(
        call=call, database=database, address=qa.address, token=token, filled=FILLED, site=SITE, elsewhere=LIVE
    )


@writes
async def test_each_fault_is_named(target: Target, method: MethodDescriptor) -> None:
    await bad_input.each_fault_is_named(target, method)


@writes
async def test_what_is_missing_is_named(target: Target, method: MethodDescriptor) -> None:
    await bad_input.missing_is_named(target, method)


@existing
async def test_what_is_not_there_is_not_found(target: Target, method: MethodDescriptor) -> None:
    await bad_input.unknown_is_not_found(target, method)


@writes
async def test_bytes_that_are_no_message_are_refused(target: Target, method: MethodDescriptor) -> None:
    await bad_input.bytes_are_refused(target, method)


@existing
async def test_another_site_says_nothing_of_what_it_has(target: Target, method: MethodDescriptor) -> None:
    await bad_input.elsewhere_says_nothing(target, method, "theirs")
