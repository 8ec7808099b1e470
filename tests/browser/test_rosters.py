"""Rosters in the browser: a search with live progress, the picture, why somebody is missing, publishing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from kefu.staffing.v1 import person_pb2, roster_pb2, roster_service_pb2, staffing_service_pb2
from playwright.sync_api import Page, expect

from services.kit.access import Kind
from services.kit.errors import AlreadyExists
from tests.browser.people import SITE, Person
from tests.browser.scene import Scene
from tests.browser.stack import Stack
from tests.browser.test_pages import check

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

SHOTS = Path(__file__).resolve().parents[2] / ".kefu" / "screenshots"
# Nothing inside is wider than its page, which would scroll sideways.
FITS = "document.querySelector('main').scrollWidth <= document.querySelector('main').clientWidth"
CREW = ("roster-an", "roster-bo", "roster-ce", "roster-du", "roster-lead", "roster-mo")


@pytest.fixture(scope="module")
def crew(stack: Stack) -> None:
    """Six people with contracts, one of whom leads."""
    scene = Scene(stack.home)
    office = scene.actor("installer", Kind.SERVICE, sites={"*": ["admin"]})
    grades = person_pb2.Person
    for person in CREW:
        grade = grades.GRADE_SUPERVISOR if person == "roster-lead" else grades.GRADE_SENIOR
        made = grades(display_name=person[7:].title(), grade=grade, skills=["GENERAL"], capacity=3, certified=True)
        request = staffing_service_pb2.CreatePersonRequest(parent=f"sites/{SITE}", person_id=person, person=made)
        try:
            office.call("kefu.staffing.v1.StaffingService/CreatePerson", request, grades)
        except AlreadyExists:
            continue
        contract = roster_pb2.Contract(
            name=f"sites/{SITE}/people/{person}/contract", week_minutes_least=2_400, week_minutes_most=2_640
        )
        wanted = roster_service_pb2.SetContractRequest(contract=contract)
        office.call("kefu.staffing.v1.RosterService/SetContract", wanted, roster_pb2.Contract)
    scene.close()


@pytest.mark.parametrize(("language", "width", "scheme"), [("zh_CN", 1440, "light"), ("en", 390, "dark")])
def test_a_roster_from_the_question_to_publishing(
    window: Callable[..., Page], stack: Stack, crew: None, language: str, width: int, scheme: str
) -> None:
    page = window(language, width=width, height=900, scheme=scheme)
    person = Person(page, language)
    page.goto("/sign-in")
    person.sign_in("admin", stack.password("admin"))
    person.go("rosters")
    check(page, "rosters")
    first = date.fromisoformat(page.locator("#first_day").input_value())
    assert first.weekday() == 0
    lines = ["start,skill,people"]
    for day in range(6):
        for quarter in range(36, 84):
            people = 4 if 40 <= quarter < 60 else 2
            lines.append(f"{first + timedelta(days=day)} {quarter // 4:02}:{quarter % 4 * 15:02},GENERAL,{people}")
    page.locator("#requirements").fill("\n".join(lines))
    page.locator("#seconds").fill("20")
    page.get_by_role("button", name=person.words("roster.search"), exact=True).click()
    expect(page.locator("#state")).to_have_text(person.words("roster_state.RUNNING"), timeout=60_000)
    expect(page.locator("progress")).to_be_visible()
    # the picture is there while the search goes on
    expect(page.locator(".gantt rect").first).to_be_visible(timeout=60_000)
    expect(page.locator("#state")).to_have_text(person.words("roster_state.SUCCEEDED"), timeout=120_000)
    expect(page.get_by_text(person.words("roster.certified"))).to_be_visible()
    page.get_by_text(person.words("roster.agreed")).click()
    expect(page.get_by_role("checkbox", name="An", exact=True)).to_be_visible()
    expect(page.get_by_text(person.words("roster_rule.people_missing"), exact=True)).to_be_visible()
    assert page.locator(".gantt tbody tr").count() >= len(CREW)
    summary = page.locator("#why ~ .body summary, section[aria-labelledby=why] summary").first
    expect(summary).to_be_visible()
    summary.click()
    check(page, "roster run")
    assert page.evaluate(FITS)
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"roster-{width}-{scheme}-{language}.png", full_page=True)
    page.get_by_role("button", name=person.words("roster.publish"), exact=True).click()
    expect(page.locator("section[aria-labelledby=published] tbody tr").first).to_be_visible()
    check(page, "published rosters")
    page.screenshot(path=SHOTS / f"rosters-{width}-{scheme}-{language}.png", full_page=True)
