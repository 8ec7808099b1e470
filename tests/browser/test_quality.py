"""Quality in the browser: a transcript without personal data, sound, a draw's proof, marks by keyboard, evidence."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
import secrets
import wave
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from kefu.qa.v1 import draw_service_pb2 as draw_api
from kefu.qa.v1 import recording_pb2, review_pb2
from kefu.qa.v1 import recording_service_pb2 as api
from kefu.qa.v1 import review_service_pb2 as review_api
from kefu.qa.v1 import scorecard_service_pb2 as card_api
from playwright.sync_api import Page, expect

from services.kit.access import Kind
from services.kit.embedded import EmbeddedPostgres
from services.qa import verify_draw
from services.qa.domain.content import PART_BYTES, checksum_of
from services.stack.infra import DATABASE
from tests.browser.people import SITE, Person
from tests.browser.scene import Scene
from tests.browser.stack import Stack
from tests.browser.test_pages import check
from tests.integration.qa.drawn import as_of_a_week

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

SHOTS = Path(__file__).resolve().parents[2] / ".kefu" / "screenshots"
SECONDS = 100
# Nothing inside is wider than its page, which would scroll sideways.
FITS = "document.querySelector('main').scrollWidth <= document.querySelector('main').clientWidth"


def sound() -> bytes:
    """A recording of two parts: silence that a browser can play."""
    file = io.BytesIO()
    with wave.open(file, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(8_000)
        made.writeframes(bytes(2 * 8_000 * SECONDS))
    return file.getvalue()


@pytest.fixture
def call(stack: Stack) -> str:
    """The id of a telephone call's recording."""
    scene = Scene(stack.home)
    actor = scene.actor("recorder", Kind.SERVICE, sites={"*": ["admin"]})
    service = "kefu.qa.v1.RecordingService"
    request = api.RegisterRecordingRequest(
        parent=f"sites/{SITE}",
        kind=recording_pb2.Recording.KIND_AUDIO,
        subject=f"sites/{SITE}/conversations/call-{secrets.token_hex(6)}",
        person="wangfang",
        channel="PHONE",
    )
    request.start_time.GetCurrentTime()
    request.start_time.seconds -= 600
    request.end_time.GetCurrentTime()
    request.end_time.seconds -= 60
    name = actor.call(f"{service}/RegisterRecording", request, recording_pb2.Recording).name
    data = sound()
    start = api.StartUploadRequest(name=name, media_type="audio/wav", size_bytes=len(data), sha256=checksum_of(data))
    actor.call(f"{service}/StartUpload", start, api.Upload)
    for number in range(1, -(-len(data) // PART_BYTES) + 1):
        piece = data[(number - 1) * PART_BYTES : number * PART_BYTES]
        part = api.UploadPartRequest(name=name, number=number, content=piece, sha256=hashlib.sha256(piece).hexdigest())
        actor.call(f"{service}/UploadPart", part, api.Upload)
    actor.call(f"{service}/CompleteUpload", api.CompleteUploadRequest(name=name), recording_pb2.Recording)
    scene.close()
    return name.rpartition("/")[2]


@pytest.fixture
def talk(stack: Stack) -> str:
    """A conversation with a telephone number in it, served and closed; its id."""
    scene = Scene(stack.home)
    scene.presence(wangfang="AVAILABLE")
    conversation, customer = scene.ask("王芳", "我的手机是13800138000，快递到哪了")
    colleague = scene.answer(conversation, "好的，马上为您查询")
    assert colleague is not None
    scene.finish(conversation, colleague, customer, rating=5)
    scene.close()
    return conversation


def counted(stack: Stack, recordings: Sequence[str]) -> None:
    """Make recordings that were drawn ones of a week's draw."""

    async def put() -> None:
        connection = await asyncpg.connect(EmbeddedPostgres(stack.home.postgres).dsn(DATABASE))
        try:
            await as_of_a_week(connection.execute, SITE, *recordings)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as beside:  # the browser's own loop is in this thread
        beside.submit(lambda: asyncio.run(put())).result()


def assign(stack: Stack, conversation: str) -> str:
    """A review of a conversation's recording by Li Min, by a rubric of two items; its id, or empty before qa heard."""
    scene = Scene(stack.home)
    parent, service = f"sites/{SITE}", "kefu.qa.v1.ReviewService"
    boss, chief = (scene.actor(one, Kind.SERVICE, sites={"*": ["admin"]}) for one in ("boss", "chief"))
    listed = api.ListRecordingsRequest(parent=parent, page_size=500)
    found = boss.call("kefu.qa.v1.RecordingService/ListRecordings", listed, api.ListRecordingsResponse).recordings
    recordings = [one.name for one in found if one.subject == f"{parent}/conversations/{conversation}"]
    if not recordings:
        scene.close()
        return ""
    member = review_pb2.Member(name=f"{parent}/members/limin", reviewer=True)
    boss.call(f"{service}/SetMember", review_api.SetMemberRequest(member=member), review_pb2.Member)
    criteria = [
        review_pb2.Criterion(id="warmth", title_zh="态度热情", title_en="Warmth", weight=70, comment_at=4),
        review_pb2.Criterion(id="farewell", title_zh="结束语", title_en="Farewell", weight=30, optional=True),
    ]
    rubric = review_pb2.Rubric(series="browser", criteria=criteria)
    written = review_api.CreateRubricRequest(parent=parent, rubric=rubric)
    name = boss.call(f"{service}/CreateRubric", written, review_pb2.Rubric).name
    chief.call(f"{service}/PublishRubric", review_api.PublishRubricRequest(name=name), review_pb2.Rubric)
    check = draw_api.CreateSpotCheckRequest(parent=parent, number=500, days=1, reason="all of today")
    boss.call("kefu.qa.v1.DrawService/CreateSpotCheck", check, draw_api.Draw)
    counted(stack, recordings)
    wanted = review_api.AssignReviewsRequest(
        parent=parent, recordings=recordings, series="browser", origin=review_pb2.Review.ORIGIN_DRAWN
    )
    made = boss.call(f"{service}/AssignReviews", wanted, review_api.AssignReviewsResponse)
    scene.close()
    return made.reviews[0].name.rpartition("/")[2]


@pytest.mark.parametrize(("language", "width", "scheme"), [("zh_CN", 1440, "light"), ("en", 390, "dark")])
def test_a_transcript_hides_who_the_customer_is_and_sound_plays(
    window: Callable[..., Page], stack: Stack, talk: str, call: str, language: str, width: int, scheme: str
) -> None:
    page = window(language, width=width, height=900, scheme=scheme)
    person = Person(page, language)
    page.goto("/sign-in")
    person.sign_in("admin", stack.password("admin"))
    SHOTS.mkdir(parents=True, exist_ok=True)
    row = page.locator("tbody tr").filter(has_text=person.words("recording_kind.TRANSCRIPT"))
    for _ in range(50):  # intake tells of the end, qa hears of it a moment later
        person.go("recordings")
        if row.count():
            break
    check(page, "recordings")
    page.screenshot(path=SHOTS / f"recordings-{width}-{scheme}-{language}.png", full_page=True)
    row.first.get_by_role("link").click()
    page.get_by_role("button", name=person.words("recording.open")).click()
    expect(page.get_by_text("我的手机是***")).to_be_visible()
    assert "13800138000" not in page.content()
    check(page, "transcript")
    page.screenshot(path=SHOTS / f"transcript-{width}-{scheme}-{language}.png", full_page=True)
    person.go(f"recordings/{call}")
    page.get_by_role("button", name=person.words("recording.open")).click()
    player = page.locator("audio")
    expect(player).to_be_visible()
    player.evaluate(
        "player => player.readyState >= 1 || new Promise(done => { player.onloadedmetadata = () => done(); })"
    )
    assert player.evaluate("player => Math.round(player.duration)") == SECONDS
    # by a range request: nothing between has been loaded
    player.evaluate("player => new Promise(done => { player.onseeked = () => done(); player.currentTime = 90; })")
    check(page, "player")
    page.screenshot(path=SHOTS / f"player-{width}-{scheme}-{language}.png", full_page=True)


@pytest.mark.parametrize(("language", "width", "scheme"), [("zh_CN", 1440, "light"), ("en", 390, "dark")])
def test_a_draw_shows_its_proof_and_anyone_can_run_it_again(
    window: Callable[..., Page], stack: Stack, call: str, tmp_path: Path, language: str, width: int, scheme: str
) -> None:
    page = window(language, width=width, height=900, scheme=scheme)
    person = Person(page, language)
    page.goto("/sign-in")
    person.sign_in("admin", stack.password("admin"))
    person.go("draws")
    page.get_by_label(person.words("recording.reason"), exact=True).fill("抽查")
    page.get_by_role("button", name=person.words("draw.spot_now")).click()
    expect(page).to_have_url(re.compile(r"/draws/spot-\d+$"))
    check(page, "draw")
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"draw-{width}-{scheme}-{language}.png", full_page=True)
    files = {}
    for key in ("get_record", "get_frame", "get_program"):
        with page.expect_download() as download:
            page.get_by_role("link", name=person.words(f"draw.{key}"), exact=True).click()
        files[key] = tmp_path / key
        download.value.save_as(files[key])
    record = json.loads(files["get_record"].read_text())
    assert verify_draw.verify(record, str(files["get_frame"])).startswith("agrees")
    assert files["get_program"].read_bytes() == Path(verify_draw.__file__).read_bytes()
    person.go("draws")
    check(page, "draws")
    page.screenshot(path=SHOTS / f"draws-{width}-{scheme}-{language}.png", full_page=True)


@pytest.mark.parametrize(("language", "width", "scheme"), [("zh_CN", 1440, "light"), ("en", 390, "dark")])
def test_a_review_is_marked_with_the_keyboard(
    window: Callable[..., Page], stack: Stack, talk: str, language: str, width: int, scheme: str
) -> None:
    page = window(language, width=width, height=900, scheme=scheme)
    person = Person(page, language)
    page.goto("/sign-in")
    person.sign_in("limin", stack.password("limin"))
    review = ""
    for _ in range(50):  # intake tells of the end, qa hears of it a moment later
        person.go("reviews")
        review = assign(stack, talk)
        if review:
            break
    person.go("reviews")
    check(page, "reviews")
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"reviews-{width}-{scheme}-{language}.png", full_page=True)
    page.locator(f'a[href$="/reviews/{review}"]').click()
    page.get_by_role("button", name=person.words("recording.open")).click()
    expect(page.get_by_text("我的手机是***")).to_be_visible()
    page.wait_for_load_state()
    warmth, farewell = page.locator("[data-criterion=warmth]"), page.locator("[data-criterion=farewell]")
    page.keyboard.press("0")
    expect(warmth.locator("input:checked")).to_have_value("10")
    page.keyboard.press("3")
    expect(warmth.locator("input:checked")).to_have_value("3")
    comment = warmth.locator("textarea")
    assert comment.evaluate("field => field.required")
    page.keyboard.press("c")
    page.keyboard.type("没有 5 秒内问候")  # digits are words here
    expect(warmth.locator("input:checked")).to_have_value("3")
    page.locator(".message.customer [data-mark]").click()
    row = page.locator("#places li")
    expect(row.locator("select")).to_have_value("warmth")
    page.keyboard.type("这里")
    warmth.locator("input:checked").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    expect(farewell.locator("input:checked")).to_have_value("NA")
    page.keyboard.press("ArrowUp")
    expect(warmth.locator("input:checked")).to_be_focused()
    check(page, "review room")
    assert page.evaluate(FITS), "review room"
    page.screenshot(path=SHOTS / f"room-{width}-{scheme}-{language}.png", full_page=True)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text(person.words("review.scored", score="3", best=10))).to_be_visible()
    expect(page.locator(".places")).to_contain_text("这里")
    check(page, "marked review")
    assert page.evaluate(FITS), "marked review"
    page.screenshot(path=SHOTS / f"reviewed-{width}-{scheme}-{language}.png", full_page=True)


@pytest.mark.parametrize(("language", "width", "scheme"), [("zh_CN", 1440, "light"), ("en", 390, "dark")])
def test_a_scorecard_leads_to_the_evidence_of_its_numbers(
    window: Callable[..., Page], stack: Stack, talk: str, language: str, width: int, scheme: str
) -> None:
    page = window(language, width=width, height=900, scheme=scheme)
    person = Person(page, language)
    page.goto("/sign-in")
    person.sign_in("wangfang", stack.password("wangfang"))
    scene = Scene(stack.home)
    boss = scene.actor("boss", Kind.SERVICE, sites={"*": ["admin"]})
    month = f"{datetime.now(ZoneInfo('Asia/Shanghai')):%Y-%m}"
    compute = card_api.ComputeScorecardsRequest(parent=f"sites/{SITE}", period=month)
    item = page.get_by_role("link", name=person.words("metric.resolution"), exact=True)
    for _ in range(50):  # qa hears of the work a moment later
        boss.call("kefu.qa.v1.ScorecardService/ComputeScorecards", compute, card_api.ComputeScorecardsResponse)
        page.goto(f"/s/{SITE}/scorecards/{month}/wangfang")
        if item.count():
            break
    scene.close()
    person.go("scorecards")
    check(page, "scorecards")
    page.locator("tbody").get_by_role("link").click()  # one's own alone
    check(page, "scorecard")
    assert page.evaluate(FITS), "scorecard"
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"scorecard-{width}-{scheme}-{language}.png", full_page=True)
    item.click()
    expect(page.get_by_text(person.words("fact.handled")).first).to_be_visible()
    check(page, "evidence")
    assert page.evaluate(FITS), "evidence"
    page.screenshot(path=SHOTS / f"evidence-{width}-{scheme}-{language}.png", full_page=True)
