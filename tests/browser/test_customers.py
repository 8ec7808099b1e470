"""A shop's customers in the browser: the tier map, everything about one of them, and what two people handle."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from kefu.crm.v1 import customer_pb2, customer_service_pb2, order_service_pb2, points_service_pb2
from playwright.sync_api import Page, expect

from services.kit.access import Kind
from tests.browser.people import Person
from tests.browser.scene import Scene
from tests.browser.stack import Stack
from tests.browser.test_pages import check

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

SHOP = "taobao-shop"
PARENT = f"sites/{SHOP}"
SHOTS = Path(__file__).resolve().parents[2] / ".kefu" / "screenshots"


@pytest.fixture
def wang_fang(stack: Stack) -> Iterator[tuple[str, str]]:
    """A customer of the shop with purchases, a return, points and a consent: their id, and that on SHOP."""
    external_id = f"tb-{secrets.token_hex(6)}"
    scene = Scene(stack.home)
    actor = scene.actor("installer", Kind.SERVICE, sites={"*": ["admin"]})
    customer = customer_pb2.Customer(display_name="王芳", phone="13800138000", email="fang@example.com")
    identity = customer_pb2.Identity(channel="SHOP", external_id=external_id)
    made = actor.call(
        "kefu.crm.v1.CustomerService/CreateCustomer",
        customer_service_pb2.CreateCustomerRequest(parent=PARENT, customer=customer, identities=[identity]),
        customer_pb2.Customer,
    )
    lines = [_line(external_id, number, 300, number) for number in range(1, 10)]
    lines.append(_line(external_id, 3, 120, 0.1, back=True))
    actor.call(
        "kefu.crm.v1.OrderService/RecordOrders",
        order_service_pb2.RecordOrdersRequest(parent=PARENT, source="SHOP", lines=lines),
        order_service_pb2.RecordOrdersResponse,
    )
    actor.call(
        "kefu.crm.v1.PointsService/RedeemPoints",
        points_service_pb2.RedeemPointsRequest(parent=made.name, points=100, reference="茶杯"),
        points_service_pb2.Points,
    )
    consent = customer_pb2.Consent(purpose=customer_pb2.PURPOSE_CARE, channel="SMS", granted=True)
    actor.call(
        "kefu.crm.v1.CustomerService/SetConsent",
        customer_service_pb2.SetConsentRequest(name=made.name, consent=consent),
        customer_pb2.Consent,
    )
    yield made.name.rpartition("/")[2], external_id
    scene.close()


@pytest.mark.parametrize(("language", "width", "scheme"), [("zh_CN", 1440, "light"), ("en", 390, "dark")])
def test_a_customer_is_found_explained_and_never_shown_in_the_clear(
    window: Callable[..., Page], stack: Stack, wang_fang: tuple[str, str], language: str, width: int, scheme: str
) -> None:
    customer_id, external_id = wang_fang
    page = window(language, width=width, height=900, scheme=scheme)
    person = Person(page, language)
    page.goto("/sign-in")
    person.sign_in("admin", stack.password("admin"))
    page.goto(f"/s/{SHOP}/customers")
    check(page, "customers")
    core = {"zh_CN": "核心客户", "en": "Core"}[language]
    expect(page.get_by_text(re.compile(rf"{core} · [1-9]"))).to_be_visible()
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"customers-{width}-{scheme}-{language}.png", full_page=True)
    page.get_by_label(person.words("customer.external_id")).fill(external_id)
    page.get_by_role("button", name=person.words("action.search")).click()
    expect(page).to_have_url(f"{stack.url}/s/{SHOP}/customers/{customer_id}")
    expect(page.locator("h1")).to_have_text("王**")
    check(page, "customer")
    for text in ("138****8000", "f***@example.com"):
        expect(page.get_by_text(text)).to_be_visible()
    assert "13800138000" not in page.content()
    expect(page.locator("#standing")).to_have_text(person.words("tiers.why", tier=core))
    expect(page.get_by_text(person.words("points.SPENT")).first).to_be_visible()
    page.screenshot(path=SHOTS / f"customer-{width}-{scheme}-{language}.png", full_page=True)


def test_a_request_takes_two_people_and_says_who_has_answered(
    window: Callable[..., Page], stack: Stack, wang_fang: tuple[str, str], provoked: set[int | str]
) -> None:
    provoked.add(422)
    page = window("zh_CN", width=1440, height=900)
    person = Person(page, "zh_CN")
    page.goto("/sign-in")
    person.sign_in("admin", stack.password("admin"))
    page.goto(f"/s/{SHOP}/privacy")
    page.get_by_label(person.words("privacy.customer"), exact=True).fill(wang_fang[0])
    page.get_by_label(person.words("privacy.kind"), exact=True).select_option("EXPORT")
    page.get_by_role("button", name=person.words("privacy.open")).click()
    page.get_by_label(person.words("privacy.note")).first.fill("电话核对订单号")
    page.get_by_role("button", name=person.words("privacy.verify")).first.click()
    check(page, "privacy")
    page.get_by_role("button", name=person.words("privacy.fulfil")).first.click()
    expect(page.get_by_role("alert")).to_contain_text("customers.approve")
    page.screenshot(path=SHOTS / "privacy-1440-light-zh_CN.png", full_page=True)


def _line(buyer: str, number: int, yuan: int, days: float, *, back: bool = False) -> order_service_pb2.OrderLine:
    at = Timestamp()
    at.FromDatetime(datetime.now(UTC) - timedelta(days=days))
    kind = order_service_pb2.OrderLine.KIND_RETURN if back else order_service_pb2.OrderLine.KIND_SALE
    order = f"{buyer}-{number}"
    return order_service_pb2.OrderLine(
        order=order,
        line="r" if back else "1",
        kind=kind,
        buyer=buyer,
        time=at,
        quantity=1,
        amount=yuan * 100,
        currency="CNY",
        refund_of=order if back else "",
    )
