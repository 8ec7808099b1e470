"""Customers of the demonstration shop: files, purchases, consents, a campaign and a survey that wait for approval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.kit.errors import NotFound

SITE: Final = "taobao-shop"
PARENT: Final = f"sites/{SITE}"
SOURCE: Final = "SHOP"


@dataclass(frozen=True)
class Buyer:
    """Somebody who bought so often, every so many days, for so much each time, the last time so many days ago."""

    id: str
    name: str
    interest: str
    orders: int
    every_days: int
    yuan: int
    last_days: int
    agreed: bool


BUYERS: Final = (
    Buyer("tb-1001", "赵敏", "TEA", 26, 12, 480, 3, agreed=True),
    Buyer("tb-1002", "钱军", "TEA", 14, 20, 320, 8, agreed=True),
    Buyer("tb-1003", "孙悦", "COFFEE", 10, 30, 260, 12, agreed=True),
    Buyer("tb-1004", "李娜", "TEA", 6, 45, 180, 30, agreed=False),
    Buyer("tb-1005", "周涛", "COFFEE", 4, 60, 150, 75, agreed=True),
    Buyer("tb-1006", "吴琼", "PORCELAIN", 3, 40, 420, 260, agreed=True),
    Buyer("tb-1007", "郑爽", "PORCELAIN", 1, 1, 90, 20, agreed=True),
    Buyer("tb-1008", "王磊", "TEA", 1, 1, 60, 320, agreed=False),
)


async def load(channel: Any, now: datetime) -> int:
    """Add them unless they are there; returns how much was added."""
    from kefu.crm.v1 import customer_pb2, customer_service_pb2
    from kefu.crm.v1.customer_service_pb2_grpc import CustomerServiceStub

    files: Any = CustomerServiceStub(channel)
    first = customer_service_pb2.LookUpCustomerRequest(parent=PARENT, channel=SOURCE, external_id=BUYERS[0].id)
    try:
        await files.LookUpCustomer(first)
    except NotFound:
        pass
    else:
        return 0
    for number, buyer in enumerate(BUYERS):
        customer = customer_pb2.Customer(
            display_name=buyer.name,
            phone=f"1380000{1000 + number}",
            email=f"{buyer.id}@example.com",
            interests=[buyer.interest],
        )
        identity = customer_pb2.Identity(channel=SOURCE, external_id=buyer.id)
        made = await files.CreateCustomer(
            customer_service_pb2.CreateCustomerRequest(parent=PARENT, customer=customer, identities=[identity])
        )
        for purpose in (customer_pb2.PURPOSE_MARKETING, customer_pb2.PURPOSE_SURVEY) if buyer.agreed else ():
            consent = customer_pb2.Consent(purpose=purpose, channel="EMAIL", granted=True, source="demo")
            await files.SetConsent(customer_service_pb2.SetConsentRequest(name=made.name, consent=consent))
    await _purchases(channel, BUYERS, now)
    await _care(channel)
    return len(BUYERS) + 2


async def _purchases(channel: Any, buyers: Sequence[Buyer], now: datetime) -> None:
    from google.protobuf.timestamp_pb2 import Timestamp
    from kefu.crm.v1 import order_service_pb2 as api
    from kefu.crm.v1.order_service_pb2_grpc import OrderServiceStub

    def line(buyer: Buyer, number: int) -> api.OrderLine:
        at = Timestamp()
        at.FromDatetime(now - timedelta(days=buyer.last_days + number * buyer.every_days))
        return api.OrderLine(
            order=f"{buyer.id}-{number}",
            line="1",
            kind=api.OrderLine.KIND_SALE,
            buyer=buyer.id,
            time=at,
            quantity=1,
            amount=buyer.yuan * 100,
            currency="CNY",
        )

    lines = [line(buyer, number) for buyer in buyers for number in range(buyer.orders)]
    orders: Any = OrderServiceStub(channel)
    await orders.RecordOrders(api.RecordOrdersRequest(parent=PARENT, source=SOURCE, lines=lines))


async def _care(channel: Any) -> None:
    """Drafts: whoever signs in is the second person who may approve them."""
    from google.protobuf.json_format import ParseDict
    from kefu.crm.v1 import campaign_service_pb2 as campaign_api
    from kefu.crm.v1 import customer_pb2
    from kefu.crm.v1 import survey_service_pb2 as survey_api
    from kefu.crm.v1.campaign_service_pb2_grpc import CampaignServiceStub
    from kefu.crm.v1.survey_service_pb2_grpc import SurveyServiceStub

    campaign = campaign_api.Campaign(
        kind=campaign_api.Campaign.KIND_NEW_PRODUCT,
        purpose=customer_pb2.PURPOSE_MARKETING,
        title="春茶上新",
        subject="{name}，春茶到了",
        body="{name}，今年的春茶已上架。随信附上优惠券 {coupon}。",
        channels=["EMAIL"],
        holdout_share=0.2,
        window_days=14,
        coupon_fen=2000,
        coupon_days=30,
    )
    ParseDict({"all": [{"field": "interests", "test": "HAS_ANY", "words": ["TEA"]}]}, campaign.segment)
    campaigns: Any = CampaignServiceStub(channel)
    await campaigns.CreateCampaign(campaign_api.CreateCampaignRequest(parent=PARENT, campaign=campaign))
    survey = survey_api.Survey(
        title="季度满意度",
        question="您对我们的服务满意吗？",
        subject="一分钟，告诉我们",
        body="{name}，请凭 {answer} 作答。",
        channels=["EMAIL"],
        least=1,
        most=5,
        satisfied_from=4,
        reminder_after_days=3,
        reminders=1,
        open_days=14,
    )
    ParseDict({"field": "orders", "test": "AT_LEAST", "number": 1}, survey.segment)
    surveys: Any = SurveyServiceStub(channel)
    await surveys.CreateSurvey(survey_api.CreateSurveyRequest(parent=PARENT, survey=survey))
