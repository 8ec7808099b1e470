"""Review room and scorecards as reviewers, the reviewed and judges of disputes read them, over what qa holds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from anyio.from_thread import BlockingPortal

from services.gateway.app import Parts, create_app
from services.gateway.config import GatewayConfig
from services.gateway.console.pages import console_blueprint, error_page
from services.gateway.console.texts import texts
from services.kit.embedded import EmbeddedPostgres, role_of
from services.kit.testing.polling import eventually
from tests.integration.gateway.conftest import PASSWORD, SITE, Browser, add_account, token_of
from tests.integration.gateway.test_care_pages import Reader
from tests.integration.gateway.test_quality import employed, served
from tests.integration.qa.drawn import as_of_a_week

PERSON = "judged"
Draw = Callable[[str], None]
REVIEWERS = {"admin", "manager"}
CRITERIA = [
    {"id": "warmth", "titleZh": "态度热情", "titleEn": "Warmth", "weight": 60, "commentAt": 4},
    {"id": "accuracy", "titleZh": "答复准确", "titleEn": "Accuracy", "weight": 30},
    {"id": "farewell", "titleZh": "结束语", "titleEn": "Farewell", "weight": 10, "optional": True},
]
MARKS = {"mark-warmth": "3", "mark-accuracy": "8", "mark-farewell": "NA"}


@pytest.fixture(scope="module")
def office(parts: Parts) -> Browser:
    """A program that does what an administrator does; the site has a rubric, two reviewers and somebody to review."""
    admin = Browser(create_app(parts).test_client(), token_of(parts, "admin", {"*": frozenset({"admin"})}))
    chief = replace(admin, token=token_of(parts, "chief", {"*": frozenset({"admin"})}))
    parts.runtime.run(add_account, parts, PERSON, {SITE: ["agent"]})
    employed(admin, PERSON)
    for one in REVIEWERS:
        done = admin.post(f"/v1/sites/{SITE}/members/{one}:set", {"member": {"reviewer": True}})
        assert done.status_code == 200, done.text
    made = admin.post(f"/v1/sites/{SITE}/rubrics", {"rubric": {"series": "room", "criteria": CRITERIA}})
    assert made.status_code == 200, made.text
    assert chief.post(f"/v1/{made.json['name']}:publish").status_code == 200
    return admin


def reader(parts: Parts, user: str, language: str) -> Reader:
    """Somebody at the console."""
    made = Reader(create_app(parts, pages=console_blueprint, error_page=error_page).test_client(), language)
    reply = made.post("/sign-in", made.get("/sign-in"), {"user_name": user, "password": PASSWORD})
    assert reply.status_code == 303, reply.text[:400]
    return made


@pytest.fixture(scope="module")
def draw(gateway_config: GatewayConfig, postgres: EmbeddedPostgres, portal: BlockingPortal) -> Draw:
    """Makes a recording that was drawn one of a week's draw."""
    url = postgres.dsn(urlsplit(gateway_config.database).path.strip("/"), user=role_of("qa"))

    async def drawn(recording: str) -> None:
        connection = await asyncpg.connect(url, server_settings={"kefu.sites": "*"})
        try:
            await as_of_a_week(connection.execute, SITE, recording)
        finally:
            await connection.close()

    return lambda recording: portal.call(drawn, recording)


def assigned(office: Browser, draw: Draw, recording: str) -> dict[str, Any]:
    """The review of a recording that was drawn."""
    check = {"number": 500, "days": 1, "person": PERSON, "reason": "all of today"}
    drawn = office.post(f"/v1/sites/{SITE}/draws:spotCheck", check)
    assert drawn.status_code == 200, drawn.text
    draw(recording)
    body = {"recordings": [recording], "series": "room", "origin": "ORIGIN_DRAWN"}
    done = office.post(f"/v1/sites/{SITE}/reviews:assign", body)
    assert done.status_code == 200, done.text
    (review,) = done.json["reviews"]
    return dict(review)


def recorded(office: Browser, conversation: str) -> str:
    """The recording of a conversation, once qa heard of its end."""

    def found() -> list[str]:
        page = office.get(f"/v1/sites/{SITE}/recordings?pageSize=500").json.get("recordings", [])
        return [one["name"] for one in page if one["subject"] == conversation]

    asyncio.run(eventually(found))
    return found()[0]


def path_of(review: dict[str, Any]) -> str:
    return f"/s/{SITE}/reviews/{review['name'].rpartition('/')[2]}"


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_conversation_is_marked_disputed_and_judged(parts: Parts, office: Browser, draw: Draw, language: str) -> None:
    words = texts(language.replace("-", "_"))
    warmth = "态度热情" if language == "zh-CN" else "Warmth"
    conversation = served(parts, office, "我的手机是13800138000，单子呢", PERSON)
    review = assigned(office, draw, recorded(office, conversation))
    path, first = path_of(review), reader(parts, review["reviewer"], language)
    assert f'href="{path}"' in first.get(f"/s/{SITE}/reviews?shown=ASSIGNED")
    assert f'href="{path}"' not in first.get(f"/s/{SITE}/reviews?shown=OVERDUE")
    room = first.get(path)
    assert warmth in room
    assert "我的手机是" not in room

    opened = first.post(path, room, {"open": "1", "mark-warmth": "3", "coaching": "慢一点"})
    assert opened.status_code == 200
    assert "我的手机是***" in opened.text
    assert "13800138000" not in opened.text
    assert re.search(r'name="mark-warmth" value="3" required checked', opened.text)
    assert "慢一点" in opened.text

    playback = re.findall(r'name="playback" value="([^"]+)"', opened.text)[0]
    given = {
        "action": "submit",
        "playback": playback,
        "at": ["4.5"],
        "about": ["warmth"],
        "note": ["没有问候"],
        **MARKS,
    }
    refused = first.post(path, room, given)  # so low a mark needs a comment
    assert refused.status_code == 422
    assert "comment" in refused.text
    assert "没有问候" in refused.text
    assert "我的手机是***" in refused.text
    nonsense = first.post(path, room, {**given, "comment-warmth": "冷淡", "at": ["soon"]})
    assert nonsense.status_code == 422
    given["playback"] = "0" * 36  # its time is over: the marks count all the same
    assert first.post(path, room, {**given, "comment-warmth": "冷淡"}).status_code == 303
    marked = first.get(path)
    assert "冷淡" in marked
    assert "没有问候" in marked
    assert words("review.scored", score="4.67", best=10) in marked

    reviewed = reader(parts, PERSON, language)
    assert f'href="{path}"' in reviewed.get(f"/s/{SITE}/reviews")
    page = reviewed.get(path)
    assert "冷淡" in page
    assert words("recording.audited") not in page  # recordings are for who may play them
    assert reviewed.post(path, page, {"action": "dispute", "reason": ""}).status_code == 422
    assert reviewed.post(path, page, {"action": "dispute", "reason": "我问候了"}).status_code == 303
    assert reviewed.post(path, page, {"action": "acknowledge"}).status_code == 422

    (colleague,) = REVIEWERS - {review["reviewer"]}
    judge = reader(parts, colleague, language)
    listed = judge.get(f"/s/{SITE}/reviews?shown=ASSIGNED")
    origin = words("review_origin.DISPUTE")
    row = next(one for one in listed.split("<tr>") if origin in one)
    second = re.findall(rf'href="(/s/{SITE}/reviews/[a-z0-9-]+)"', row)[0]
    room = judge.get(second)
    assert words("review.judges") in room
    assert "冷淡" not in judge.get(path)  # blind until they have marked it themselves
    given |= {"mark-warmth": "9", "at": [], "about": [], "note": []}
    assert judge.post(second, room, given).status_code == 303
    assert "冷淡" in judge.get(path)
    assert words("review_state.RESOLVED") in judge.get(path)
    page = reviewed.get(second)
    assert reviewed.post(second, page, {"action": "acknowledge"}).status_code == 303
    assert words("review_state.ACKNOWLEDGED") in reviewed.get(second)


def test_what_waits_is_the_reviewers_alone(parts: Parts, office: Browser, draw: Draw) -> None:
    now = datetime.now(UTC)
    end = {"startTime": (now - timedelta(minutes=5)).isoformat(), "endTime": now.isoformat()}
    body = {
        "kind": "KIND_AUDIO",
        "subject": f"sites/{SITE}/conversations/q3-call",
        "person": PERSON,
        "channel": "PHONE",
    }
    recording = office.post(f"/v1/sites/{SITE}/recordings", {**body, **end}).json["name"]
    review = assigned(office, draw, recording)
    path, first = path_of(review), reader(parts, review["reviewer"], "en")
    room = first.get(path)
    assert first.post(path, room, {"open": "1"}).status_code == 422  # nothing has come of it yet
    assert first.post(path, room, {"action": "nonsense"}).status_code == 422
    (colleague,) = REVIEWERS - {review["reviewer"]}
    other = reader(parts, colleague, "en")
    page = other.get(path)
    assert 'name="mark-warmth"' not in page
    refused = other.post(path, page, {"action": "submit", **MARKS, "comment-warmth": "x"})
    assert refused.status_code == 422
    with pytest.raises(AssertionError, match="404"):
        reader(parts, PERSON, "en").get(path)


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_every_number_of_a_scorecard_leads_to_its_evidence(
    parts: Parts, office: Browser, draw: Draw, language: str
) -> None:
    words, period = texts(language.replace("-", "_")), f"{datetime.now(ZoneInfo('Asia/Shanghai')):%Y-%m}"
    conversation = served(parts, office, "单子呢", PERSON)
    review = assigned(office, draw, recorded(office, conversation))
    reviewer = replace(office, token=token_of(parts, review["reviewer"], {SITE: frozenset({"reviewer"})}))
    marks = [{"criterion": one["id"], "mark": 9} for one in CRITERIA]
    assert reviewer.post(f"/v1/{review['name']}:submit", {"answers": marks}).status_code == 200
    stated = {"person": PERSON, "metric": "knowledge", "value": 5}
    body = {"period": period, "source": "SOURCE_IMPORTED", "origin": "wiki", "values": [stated]}
    assert office.post(f"/v1/sites/{SITE}/metrics:state", body).status_code == 200
    path = f"/s/{SITE}/scorecards/{period}/{PERSON}"
    own = reader(parts, PERSON, language)

    def told() -> bool:
        evidence = office.get(f"/v1/sites/{SITE}/people/{PERSON}/observations?metric=resolution&period={period}").json
        return conversation in {one["object"] for one in evidence.get("observations", [])}

    asyncio.run(eventually(told))
    assert office.post(f"/v1/sites/{SITE}/scorecards:compute", {"period": period}).status_code == 200
    listed = own.get(f"/s/{SITE}/scorecards?period={period}")
    assert f'href="{path}"' in listed
    card = own.get(path)
    for group in ("BASIC", "QUALITY", "EXTRA"):
        assert words(f"card_group.{group}") in card
    for source in ("COMPUTED", "IMPORTED"):
        assert words(f"figure_source.{source}") in card
    assert words("scorecard.incomplete") in card
    assert words("scorecard.review_score") in card
    assert re.search(r"<small>[0-9.]+ – [0-9.]+</small>", card)
    assert f'href="{path}/resolution"' in card
    assert f'href="{path}/knowledge"' not in card  # no event told of it
    evidence = own.get(f"{path}/resolution")
    assert conversation.rpartition("/")[2] in evidence
    assert words("fact.handled") in evidence
    assert "FROM observations" in evidence


def test_a_scorecard_of_others_or_of_no_month_is_not_shown(parts: Parts, office: Browser) -> None:
    own = reader(parts, PERSON, "en")
    for path in ("2026-11/admin", "2026-11/admin/resolution", f"2026-13/{PERSON}", "x/agent"):
        with pytest.raises(AssertionError, match=r"40[04]"):
            own.get(f"/s/{SITE}/scorecards/{path}")
    with pytest.raises(AssertionError, match="422"):
        own.get(f"/s/{SITE}/scorecards?period=November")
