"""Care in the browser: a campaign from builder to start, a survey, winning back, and what a customer's page does."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kefu.crm.v1 import campaign_service_pb2, customer_pb2, customer_service_pb2
from playwright.sync_api import Page, expect

from services.kit.access import Kind
from tests.browser.people import Person
from tests.browser.scene import Actor, Scene
from tests.browser.stack import Stack
from tests.browser.test_pages import check

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

SHOP = "taobao-shop"
PARENT = f"sites/{SHOP}"
SHOTS = Path(__file__).resolve().parents[2] / ".kefu" / "screenshots"
CARE = customer_pb2.Consent(purpose=customer_pb2.PURPOSE_MARKETING, channel="EMAIL", granted=True)


@pytest.fixture
def office(stack: Stack) -> Iterator[Actor]:
    """A program that may do everything."""
    scene = Scene(stack.home)
    yield scene.actor("installer", Kind.SERVICE, sites={"*": ["admin"]})
    scene.close()


@pytest.fixture
def tea(office: Actor) -> str:
    """Forty customers with an interest of their own, half of whom agreed to be written to; the interest."""
    interest = f"TEA_{secrets.token_hex(4).upper()}"
    for number in range(40):
        made = office.call(
            "kefu.crm.v1.CustomerService/CreateCustomer",
            customer_service_pb2.CreateCustomerRequest(
                parent=PARENT,
                customer=customer_pb2.Customer(
                    display_name=f"客户{number}", email=f"{interest.lower()}-{number}@example.com", interests=[interest]
                ),
            ),
            customer_pb2.Customer,
        )
        if number % 2:
            office.call(
                "kefu.crm.v1.CustomerService/SetConsent",
                customer_service_pb2.SetConsentRequest(name=made.name, consent=CARE),
                customer_pb2.Consent,
            )
    return interest


def shot(page: Page, name: str, width: int, scheme: str, language: str) -> None:
    """A picture for those who look."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}-{language}.png", full_page=True)


def signed_in(page: Page, stack: Stack, language: str) -> Person:
    """The administrator."""
    person = Person(page, language)
    page.goto("/sign-in")
    person.sign_in("admin", stack.password("admin"))
    return person


@pytest.mark.parametrize(("language", "width", "scheme"), [("zh_CN", 1440, "light"), ("en", 390, "dark")])
def test_a_campaign_shows_who_gets_what_and_takes_two_people(
    window: Callable[..., Page],
    stack: Stack,
    office: Actor,
    tea: str,
    provoked: set[int | str],
    language: str,
    width: int,
    scheme: str,
) -> None:
    provoked.add(422)
    page = window(language, width=width, height=900, scheme=scheme)
    person = signed_in(page, stack, language)
    page.goto(f"/s/{SHOP}/campaigns")
    page.get_by_text(person.words("campaign.new")).click()
    form = page.locator("details[open] form")
    form.get_by_label(person.words("campaign.title")).fill("春茶")
    form.get_by_label(person.words("campaign.purpose")).select_option("MARKETING")
    form.get_by_label(person.words("segment.field"), exact=True).first.select_option("interests")
    form.get_by_label(person.words("segment.value")).first.fill(tea)
    form.get_by_label(person.words("campaign.body"), exact=True).fill("{name}，新茶到了。")
    form.get_by_label(person.words("campaign.holdout_percent")).fill("30")
    check(page, "campaigns")
    shot(page, "campaigns", width, scheme, language)
    form.get_by_role("button", name=person.words("campaign.draft")).click()
    expect(page.locator("h1")).to_have_text("春茶")
    check(page, "campaign")
    expect(page.locator("main")).to_contain_text(tea)
    audience = page.locator(".figures > div", has_text=person.words("campaign.audience"))
    expect(audience.locator("strong")).to_have_text("40")
    held = page.locator(".figures > div", has_text=person.words("campaign.held_back"))
    assert 0 < int(held.locator("strong").inner_text()) < 40
    expect(page.get_by_text(person.words("barred.NO_CONSENT")).first).to_be_visible()
    shot(page, "campaign", width, scheme, language)
    page.get_by_role("button", name=person.words("campaign.approve")).click()
    expect(page.get_by_role("alert")).to_be_visible()
    campaign = f"{PARENT}/campaigns/{page.url.split('/')[6]}"
    office.call(
        "kefu.crm.v1.CampaignService/ApproveCampaign",
        campaign_service_pb2.ApproveCampaignRequest(name=campaign),
        campaign_service_pb2.Campaign,
    )
    page.goto(f"/s/{SHOP}/campaigns/{campaign.rpartition('/')[2]}")
    page.get_by_role("button", name=person.words("campaign.schedule")).click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("button", name=person.words("campaign.schedule"))).to_have_count(0)


def test_a_segment_without_sense_is_refused_in_words_and_the_form_keeps_what_was_written(
    window: Callable[..., Page], stack: Stack, provoked: set[int | str]
) -> None:
    provoked.add(422)
    page = window("zh_CN", width=1440, height=900)
    person = signed_in(page, stack, "zh_CN")
    page.goto(f"/s/{SHOP}/campaigns")
    page.get_by_text(person.words("campaign.new")).click()
    form = page.locator("details[open] form")
    form.get_by_label(person.words("campaign.title")).fill("草稿")
    form.get_by_label(person.words("segment.field"), exact=True).first.select_option("orders")
    form.get_by_label(person.words("segment.value")).first.fill("许多")
    form.get_by_label(person.words("campaign.body"), exact=True).fill("你好")
    form.get_by_role("button", name=person.words("campaign.draft")).click()
    expect(page.get_by_role("alert")).to_contain_text("number")
    form = page.locator("details[open] form")
    expect(form.get_by_label(person.words("campaign.title"))).to_have_value("草稿")
    expect(form.get_by_label(person.words("segment.value")).first).to_have_value("许多")


def test_a_survey_is_drafted_and_shows_what_came_of_it(window: Callable[..., Page], stack: Stack, tea: str) -> None:
    page = window("en", width=1440, height=900, scheme="dark")
    person = signed_in(page, stack, "en")
    page.goto(f"/s/{SHOP}/campaigns")
    page.get_by_text(person.words("survey.new")).click()
    form = page.locator("details[open] form")
    form.get_by_label(person.words("campaign.title")).fill("Season")
    form.get_by_label(person.words("survey.question")).fill("How was it?")
    form.get_by_label(person.words("segment.field"), exact=True).first.select_option("interests")
    form.get_by_label(person.words("segment.value")).first.fill(tea)
    form.get_by_label(person.words("campaign.body"), exact=True).fill("Please answer: {answer}")
    form.get_by_role("button", name=person.words("campaign.draft")).click()
    expect(page.get_by_text("How was it?")).to_be_visible()
    expect(page.get_by_text(person.words("survey.none"))).to_be_visible()
    check(page, "survey")
    shot(page, "survey", 1440, "dark", "en")


def test_consent_points_and_clear_data_from_a_customers_page(
    window: Callable[..., Page], stack: Stack, office: Actor, provoked: set[int | str]
) -> None:
    provoked.add(422)
    made = office.call(
        "kefu.crm.v1.CustomerService/CreateCustomer",
        customer_service_pb2.CreateCustomerRequest(
            parent=PARENT, customer=customer_pb2.Customer(display_name="李雷", phone="13900139000")
        ),
        customer_pb2.Customer,
    )
    page = window("zh_CN", width=1440, height=900)
    person = signed_in(page, stack, "zh_CN")
    page.goto(f"/s/{SHOP}/customers/{made.name.rpartition('/')[2]}")
    page.get_by_label(person.words("customer.consent_source")).fill("phone/1")
    page.get_by_role("button", name=person.words("consent.given")).click()
    expect(page.locator(".badge", has_text="EMAIL")).to_be_visible()
    page.get_by_label(person.words("points.number"), exact=True).fill("50")
    page.get_by_label(person.words("customer.reference")).fill("工单 7")
    page.get_by_role("button", name=person.words("customer.grant_points")).click()
    expect(page.get_by_text("工单 7")).to_be_visible()
    page.get_by_label(person.words("customer.unmask_reason")).fill("回电确认地址")
    page.get_by_role("button", name=person.words("customer.unmask"), exact=True).click()
    page.get_by_role("button", name=person.words("customer.unmask_show")).click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert "13900139000" not in page.content()
    waiting = office.call(
        "kefu.crm.v1.CustomerService/ListUnmaskGrants",
        customer_service_pb2.ListUnmaskGrantsRequest(parent=PARENT),
        customer_service_pb2.ListUnmaskGrantsResponse,
    )
    grant = next(one.name for one in waiting.grants if one.name.startswith(made.name))
    office.call(
        "kefu.crm.v1.CustomerService/DecideUnmask",
        customer_service_pb2.DecideUnmaskRequest(name=grant, granted=True),
        customer_pb2.UnmaskGrant,
    )
    page.get_by_role("button", name=person.words("customer.unmask_show")).click()
    expect(page.get_by_text("李雷 · 13900139000")).to_be_visible()
    check(page, "customer")
    shot(page, "customer-clear", 1440, "light", "zh_CN")
