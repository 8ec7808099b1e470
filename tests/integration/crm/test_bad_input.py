"""Bad input on every write of crm: a clear error, nothing stored."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from kefu.crm.v1 import (
    campaign_service_pb2,
    care_service_pb2,
    customer_service_pb2,
    order_service_pb2,
    points_service_pb2,
    privacy_service_pb2,
    survey_service_pb2,
    win_back_service_pb2,
)
from kefu.crm.v1.campaign_service_pb2_grpc import CampaignServiceStub
from kefu.crm.v1.care_service_pb2_grpc import CareServiceStub
from kefu.crm.v1.customer_service_pb2_grpc import CustomerServiceStub
from kefu.crm.v1.order_service_pb2_grpc import OrderServiceStub
from kefu.crm.v1.points_service_pb2_grpc import PointsServiceStub
from kefu.crm.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from kefu.crm.v1.survey_service_pb2_grpc import SurveyServiceStub
from kefu.crm.v1.win_back_service_pb2_grpc import WinBackServiceStub

from services.kit.db import Database
from tests.integration import bad_input
from tests.integration.bad_input import Target
from tests.integration.crm.conftest import ELSEWHERE, SITE, Crm

SERVICES = ("crm",)
STUBS: dict[str, tuple[Any, Any]] = {
    "CampaignService": (campaign_service_pb2, CampaignServiceStub),
    "CareService": (care_service_pb2, CareServiceStub),
    "CustomerService": (customer_service_pb2, CustomerServiceStub),
    "OrderService": (order_service_pb2, OrderServiceStub),
    "PointsService": (points_service_pb2, PointsServiceStub),
    "PrivacyService": (privacy_service_pb2, PrivacyServiceStub),
    "SurveyService": (survey_service_pb2, SurveyServiceStub),
    "WinBackService": (win_back_service_pb2, WinBackServiceStub),
}
WRITES = [
    method
    for service, (module, _) in STUBS.items()
    for method in bad_input.writes(module.DESCRIPTOR.services_by_name[service])
]
writes = pytest.mark.parametrize("method", WRITES, ids=lambda method: method.name)
existing = pytest.mark.parametrize("method", bad_input.of_existing(WRITES), ids=lambda method: method.name)
FILE = {"display_name": "王芳", "phone": "13800138000"}
IDENTITY = {"channel": "TAOBAO", "external_id": "tb-1"}
LINE = {
    "order": "o1",
    "line": "1",
    "kind": "KIND_SALE",
    "buyer": "b1",
    "time": "2026-01-01T00:00:00Z",
    "quantity": 1,
    "amount": 100,
    "currency": "CNY",
}
CAMPAIGN = {
    "kind": "KIND_OFFER",
    "purpose": "PURPOSE_MARKETING",
    "title": "new tea",
    "body": "come and try",
    "channels": ["EMAIL"],
    "segment": {"all": []},
    "window_days": 14,
}
SURVEY = {
    "title": "autumn",
    "question": "How was it?",
    "body": "Score us: {answer}",
    "channels": ["EMAIL"],
    "segment": {"all": []},
    "least": 1,
    "most": 5,
    "satisfied_from": 4,
    "reminder_after_days": 3,
    "open_days": 30,
}
FILLED: bad_input.Filled = {
    "CreateCampaign": {"campaign": CAMPAIGN},
    "CreateSurvey": {"survey": SURVEY},
    "AnswerSurvey": {"token": f"{'0' * 36}.{'0' * 24}", "score": 3},
    "RecordCommitment": {"promise": "on Friday", "due_time": "2100-01-01T00:00:00Z"},
    "KeepCommitment": {"note": "sent"},
    "CompleteContactTask": {"note": "all is well"},
    "SkipContactTask": {"reason": "spoke in the shop"},
    "PlanWinBack": {"cause": "CAUSE_PRICE", "reward_points": 100},
    "ContactWinBack": {"note": "called"},
    "RespondWinBack": {"note": "too dear"},
    "CancelCampaign": {"reason": "wrong price"},
    "CreateCustomer": {"customer": FILE, "identities": [IDENTITY]},
    "UpdateCustomer": {"customer": FILE, "update_mask": "phone"},
    "LinkIdentity": {"identity": IDENTITY},
    "MergeCustomer": {"into": f"sites/{SITE}/customers/other"},
    "SetConsent": {"consent": {"purpose": "PURPOSE_CARE", "channel": "SMS", "granted": True}},
    "RequestUnmask": {"reason": "call back"},
    "RecordOrders": {"source": "SHOP", "lines": [LINE]},
    "GrantPoints": {"points": 5, "cause": "COMPENSATION", "reference": "case-1"},
    "RedeemPoints": {"points": 5, "reference": "o1"},
    "IssueCoupon": {"value_fen": 100, "valid_days": 30, "cause": "CAMPAIGN", "reference": "c1"},
    "UseCoupon": {"order": "o1"},
    "SetMembership": {"level": "GOLD"},
    "CreateDataRequest": {"customer": f"sites/{SITE}/customers/nobody", "kind": "KIND_EXPORT"},
    "VerifyDataRequest": {"note": "by telephone"},
    "RefuseDataRequest": {"reason": "not the customer"},
}


@pytest_asyncio.fixture
async def target(crm: Crm, database: Database) -> Target:
    """crm, for an administrator of one site."""
    channel = crm.channel("root")
    stubs = {service: stub(channel) for service, (_, stub) in STUBS.items()}

    async def call(method: MethodDescriptor, message: Message) -> Message:
        reply: Message = await getattr(stubs[method.containing_service.name], method.name)(message)
        return reply

    return Target(
        call=call,
        database=database,
        address=crm.address,
        token=crm.token("root"),
        filled=FILLED,
        site=SITE,
        elsewhere=ELSEWHERE,
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
