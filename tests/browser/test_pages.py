"""Every page, in both languages, wide and narrow, light and dark: labelled, readable, never wider than the screen."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.gateway.console.texts import texts
from tests.browser.people import SITE, Customer, Person
from tests.browser.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

AT_WORK = [
    "desk",
    "wallboard",
    "conversations",
    "customers",
    "campaigns",
    "win_backs",
    "recordings",
    "draws",
    "reviews",
    "scorecards",
    "rosters",
    "privacy",
    "report",
    "people",
    "integrations",
    "system",
]
CHECK = (Path(__file__).parent / "accessibility.js").read_text(encoding="utf-8")


def check(page: Page, where: str) -> None:
    """The basics that a reader with a screen reader, a keyboard or weak eyes needs; see accessibility.js."""
    page.wait_for_load_state()
    assert page.evaluate(CHECK) == [], where


@pytest.mark.parametrize("language", ["zh_CN", "en"])
@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(1440, 900, "light"), (390, 844, "dark")], ids=["wide-light", "narrow-dark"]
)
def test_every_page_is_accessible(
    window: Callable[..., Page],
    stack: Stack,
    provoked: set[int | str],
    language: str,
    width: int,
    height: int,
    scheme: str,
) -> None:
    provoked.add(404)
    page = window(language, width=width, height=height, scheme=scheme)
    page.goto("/sign-in")
    check(page, "sign-in")
    person = Person(page, language)
    person.sign_in("admin", stack.password("admin"))
    for name in AT_WORK:
        person.go(name)
        expect(page.locator("h1")).to_have_text(person.words(f"nav.{name}"))
        check(page, name)
    page.goto(f"/chat/{SITE}")
    check(page, "chat")
    page.goto("/chat/no-such-site")
    expect(page.locator("h1")).to_have_text(person.words("error.404"))
    check(page, "error")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_open_conversation_is_accessible(
    agent: Callable[..., Person], customer: Callable[..., Customer], scheme: str
) -> None:
    person, caller = agent(scheme=scheme), customer(f"郑女士 {scheme}")
    person.set_presence("AVAILABLE")
    caller.ask("可以开发票吗？")
    check(person.page, "desk with an offer")
    person.accept(caller.name)
    person.reply("可以的。")
    check(person.page, "desk")
    check(caller.page, "chat")
    for dialog in ("transfer", "harassment"):
        person.page.evaluate("id => document.getElementById(id).showModal()", dialog)
        check(person.page, dialog)
        person.page.keyboard.press("Escape")
    person.record_need("发票")
    person.close("可以开")
    person.set_presence("OFFLINE")


def test_a_new_colleague_sets_a_password_by_the_link(
    agent: Callable[..., Person], window: Callable[..., Page], provoked: set[int]
) -> None:
    provoked |= {404, 422}
    manager = agent("admin", "en")
    manager.go("people")
    page = manager.page
    page.get_by_role("button", name=manager.words("people.invite")).first.click()
    dialog = page.locator("#invite")
    dialog.get_by_label(manager.words("people.user_name")).fill("qianjun")
    dialog.get_by_label(manager.words("people.name"), exact=True).fill("钱军")
    dialog.get_by_role("button", name=manager.words("people.invite")).click()
    link = page.get_by_label(manager.words("people.link"), exact=True).input_value()

    words, newcomer = texts("zh_CN"), window("zh_CN")
    newcomer.goto(link)
    for password, again, fault in [
        ("short", "short", None),
        ("qianjunqianjun1", "qianjunqianjun1", "password.obvious"),
        ("大漠孤烟直，长河落日圆。", "另外一句", "password.differ"),
    ]:
        newcomer.get_by_label(words("password.new")).fill(password)
        newcomer.get_by_label(words("password.again")).fill(again)
        newcomer.get_by_role("button", name=words("password.submit")).click()
        if fault:
            expect(newcomer.get_by_role("alert")).to_have_text(words(fault))
    newcomer.get_by_label(words("password.new")).fill("大漠孤烟直，长河落日圆。")
    newcomer.get_by_label(words("password.again")).fill("大漠孤烟直，长河落日圆。")
    newcomer.get_by_role("button", name=words("password.submit")).click()
    expect(newcomer.get_by_role("status").first).to_have_text(words("sign_in.password_set"))
    Person(newcomer, "zh_CN").sign_in("qianjun", "大漠孤烟直，长河落日圆。")
    newcomer.goto(link)
    expect(newcomer.locator("h1")).to_have_text(words("error.404"))


def test_other_programs_get_webhooks_and_accounts(agent: Callable[..., Person], provoked: set[int | str]) -> None:
    provoked.add(422)
    admin = agent("admin", "en")
    admin.go("integrations")
    page, words = admin.page, admin.words
    page.get_by_role("button", name=words("integrations.add")).first.click()
    page.locator("#url").fill("ftp://nowhere.example")
    page.locator("#new-webhook").get_by_role("button", name=words("integrations.add")).click()
    expect(page.get_by_role("alert")).to_contain_text("url")
    page.get_by_role("button", name=words("integrations.add")).first.click()
    page.locator("#url").fill("http://127.0.0.1:9/events")
    page.locator("#new-webhook").get_by_label(words("event.conversation_rated")).check()
    page.locator("#new-webhook").get_by_role("button", name=words("integrations.add")).click()
    expect(page.get_by_label(words("integrations.secret"), exact=True)).to_have_value(re.compile(r".{20,}"))
    line = page.locator("tr").filter(has_text="http://127.0.0.1:9/events")
    expect(line).to_contain_text(words("event.conversation_rated"))
    line.locator("summary").click()
    line.get_by_role("button", name=words("integrations.delete")).click()
    expect(line).to_have_count(0)

    page.get_by_role("button", name=words("integrations.add")).last.click()
    page.locator("#client_id").fill("shop-frontend")
    page.locator("#account-title").fill("Shop")
    page.locator("#new-account").get_by_role("button", name=words("integrations.add")).click()
    expect(page.get_by_label(words("integrations.secret"), exact=True)).to_have_value(re.compile(r".{20,}"))
    account = page.locator("tr").filter(has_text="shop-frontend")
    expect(account).to_contain_text("frontend")
    account.locator("summary").click()
    account.get_by_role("button", name=words("people.disable")).click()
    expect(account).to_contain_text(words("account.DISABLED"))


def test_the_report_is_on_the_page_and_in_a_file(agent: Callable[..., Person]) -> None:
    person = agent("sunli")
    person.go("report")
    with person.page.expect_download() as download:
        person.page.get_by_role("link", name=person.words("report.csv")).click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert text.startswith("\ufeff")
    assert re.match(r".+\.csv$", download.value.suggested_filename)


def test_a_file_goes_to_the_customer_and_a_program_does_not(
    agent: Callable[..., Person], customer: Callable[..., Customer], provoked: set[int]
) -> None:
    provoked.add(422)
    person, caller = agent(), customer("许先生")
    person.set_presence("AVAILABLE")
    caller.ask("请发我保修说明")
    person.accept(caller.name)
    chooser = person.page.locator('input[name="file"]')
    chooser.set_input_files({"name": "virus.exe", "mimeType": "application/x-msdownload", "buffer": b"MZ"})
    person.page.get_by_role("button", name=person.words("action.send")).click()
    expect(person.page.get_by_role("alert")).to_have_text(person.words("error.file_kind"))
    chooser.set_input_files({"name": "保修.txt", "mimeType": "text/plain", "buffer": "保修一年".encode()})
    person.page.get_by_role("button", name=person.words("action.send")).click()
    link = caller.page.get_by_role("link", name="保修.txt")
    with caller.page.expect_download() as download:
        link.click()
    assert Path(download.value.path()).read_text(encoding="utf-8") == "保修一年"
    person.record_need("保修说明")
    person.close("已发送")
    person.set_presence("OFFLINE")


def test_simulated_traffic_is_told_and_can_be_stopped(agent: Callable[..., Person]) -> None:
    admin = agent("admin", "en")
    banner = admin.page.locator("#simulation")
    expect(banner).to_contain_text(admin.words("simulation.running"))
    banner.get_by_role("button", name=admin.words("simulation.stop")).click()
    expect(banner).to_contain_text(admin.words("simulation.stopped"))
    person = agent("wangfang", "en")
    expect(person.page.locator("#simulation")).to_have_count(0)
    banner.get_by_role("button", name=admin.words("simulation.start")).click()
    expect(banner).to_contain_text(admin.words("simulation.running"))


def test_pages_of_other_sites_and_roles_stay_closed(agent: Callable[..., Person]) -> None:
    person = agent("wangfang")
    page = person.page
    expect(page.locator(".rail")).not_to_contain_text(person.words("nav.people"))
    for path in ("/s/taobao-shop/desk", "/s/no-such-site/desk"):
        assert page.request.get(path).status == 404
    assert page.request.get(f"/s/{SITE}/people").status == 403
    assert page.request.post(f"/s/{SITE}/presence", form={"state": "BUSY"}).status == 403, "no CSRF token"


def test_a_transfer_keeps_one_accountable(agent: Callable[..., Person], customer: Callable[..., Customer]) -> None:
    colleague = agent("zhangwei", "en")
    colleague.set_presence("BUSY")  # takes no new work of the queue, but a transfer
    person, caller = agent("wangfang"), customer("范女士")
    person.set_presence("AVAILABLE")
    caller.ask("我要找技术专家")
    person.accept(caller.name)
    person.page.get_by_role("button", name=person.words("action.transfer")).click()
    dialog = person.page.locator("#transfer")
    dialog.locator("select").select_option("person:zhangwei")
    dialog.locator("textarea").fill("需要技术判断")
    colleague.set_presence("AVAILABLE")
    dialog.get_by_role("button", name=person.words("action.transfer")).click()
    expect(person.page.locator("#head")).to_contain_text(person.words("state.HANDOFF_PENDING"))
    expect(person.page.locator("#details")).to_contain_text("王芳")
    colleague.accept(caller.name)
    expect(colleague.page.locator("#details")).to_contain_text("张伟")
    colleague.reply("您好，我来处理。")
    caller.reads("您好，我来处理。")
    colleague.record_need("技术问题")
    colleague.close("已解决")
    for one in (person, colleague):
        one.set_presence("OFFLINE")
