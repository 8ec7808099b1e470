"""A day at the desk in a real browser: take, answer in time, let another promise break, see both on the wallboard."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import Customer, Person
from tests.browser.stack import PROMISE_SECONDS, Stack

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.clause("ONLINE-3.1.1-1")
@pytest.mark.parametrize("language", ["zh_CN", "en"])
def test_one_promise_kept_and_one_broken_are_both_on_the_wallboard(
    agent: Callable[..., Person], customer: Callable[..., Customer], language: str
) -> None:
    person = agent("wangfang", language)
    words = person.words
    person.set_presence("AVAILABLE")

    # The first customer is answered before the deadline, and both see each other's words arrive.
    first = customer(f"张女士 {language}", language)
    first.ask("你好，订单什么时候发货？")
    person.accept(first.name)
    running = person.page.locator(".head kefu-clock")
    expect(running).to_contain_text(words("clock.FIRST_RESPONSE"))
    person.reply("今天下午发货，请您放心。")
    first.reads("今天下午发货，请您放心。")
    expect(person.page.locator("#details .clocks")).to_contain_text(words("clock_state.MET"))
    first.say("谢谢！")
    expect(person.page.locator("#thread")).to_contain_text("谢谢！")

    # The second one waits too long: the countdown turns, and tells how late it is.
    second = customer(f"Mr Li {language}", language)
    second.ask("Where is my refund?")
    late = person.offer(second.name).locator('kefu-clock[level="late"]')
    expect(late).to_be_visible(timeout=(PROMISE_SECONDS + 15) * 1000)
    expect(late).to_contain_text("+")

    person.go("wallboard")
    broken = person.page.locator("[data-breach]").filter(has_text=words("clock.FIRST_RESPONSE"))
    expect(broken.first).to_be_visible()
    figures = person.page.locator("tr[data-queue=GENERAL]")
    expect(figures).to_contain_text("%")
    tile = person.page.locator(".tile").filter(has_text=words("board.level_today"))
    expect(tile).not_to_contain_text("–")
    expect(tile.locator("b")).not_to_have_text("100%")

    # Nobody is left waiting for the next test.
    person.go("desk")
    person.accept(second.name)
    person.reply("It was sent today.")
    second.reads("It was sent today.")
    person.record_need("refund")
    person.close("Refund sent today")
    second.rate(4)
    expect(person.page.locator("#thread .rated")).to_contain_text("4")
    person.set_presence("OFFLINE")


def test_closing_asks_for_the_steps_of_the_site_and_the_customer_rates(
    agent: Callable[..., Person], customer: Callable[..., Customer]
) -> None:
    person, caller = agent(), customer("周先生")
    person.set_presence("AVAILABLE")
    caller.ask("发票抬头写错了")
    person.accept(caller.name)
    person.reply("马上为您重开。")
    person.record_need("重开发票")
    person.page.get_by_role("button", name=person.words("action.close_conversation")).click()
    dialog = person.page.locator("dialog[open]")
    dialog.get_by_role("button", name=person.words("action.close_conversation")).click()
    expect(dialog).to_be_visible()  # the browser itself holds back what is required
    dialog.get_by_role("button", name=person.words("action.cancel")).click()
    person.close("已重开发票")
    caller.rate(5)
    expect(person.page.locator("#thread .rated")).to_contain_text("5")
    caller.page.get_by_text(caller.words("chat.thanks")).wait_for()
    person.set_presence("OFFLINE")


def test_a_note_never_reaches_the_customer(agent: Callable[..., Person], customer: Callable[..., Customer]) -> None:
    person, caller = agent(), customer("吴女士")
    person.set_presence("AVAILABLE")
    caller.ask("尺码偏大吗？")
    person.accept(caller.name)
    person.page.get_by_role("tab", name=person.words("desk.note")).click()
    person.reply("内部：此款偏大一码")
    expect(person.page.locator("#thread .note")).to_contain_text("内部")
    person.reply("这款建议选小一码。")
    caller.reads("这款建议选小一码。")
    expect(caller.page.locator("#thread")).not_to_contain_text("内部")
    person.record_need("尺码")
    person.close("建议小一码")
    person.set_presence("OFFLINE")


def test_wrong_password_says_what_to_do(window: Callable[..., Page], provoked: set[int | str]) -> None:
    provoked.add(401)
    page = window("en")
    person = Person(page, "en")
    page.goto("/")
    page.get_by_label(person.words("sign_in.user_name")).fill("wangfang")
    page.get_by_label(person.words("sign_in.password"), exact=True).fill("not the password")
    page.get_by_role("button", name=person.words("sign_in.submit")).click()
    expect(page.get_by_role("alert")).to_have_text(person.words("sign_in.failed"))
    expect(page.get_by_label(person.words("sign_in.user_name"))).to_have_value("wangfang")


def test_the_keyboard_is_enough(agent: Callable[..., Person]) -> None:
    page = agent().page
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("w")
    page.wait_for_url("**/wallboard")
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/desk")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()


def test_the_reader_chooses_language_and_colours(agent: Callable[..., Person]) -> None:
    person = agent("zhangwei")
    page = person.page
    page.locator("details.menu > summary").last.click()
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("details.menu > summary").last.click()
    page.locator("[data-theme-switch]").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_nothing_is_missed_while_the_line_is_down(
    agent: Callable[..., Person], customer: Callable[..., Customer], stack: Stack, provoked: set[int | str]
) -> None:
    provoked |= {"net::ERR", "htmx:sendError", "htmx:afterRequest", "htmx:sseError", "Event]"}
    person, caller = agent(), customer("唐女士")
    person.set_presence("AVAILABLE")
    caller.ask("可以货到付款吗？")
    person.accept(caller.name)
    live = person.page.locator(".live")
    expect(live).to_have_attribute("data-state", "open")

    person.page.context.set_offline(True)
    expect(live).to_have_attribute("data-state", "lost")
    caller.say("还在吗？")
    caller.reads("还在吗？")
    person.page.context.set_offline(False)
    expect(person.page.locator("#thread")).to_contain_text("还在吗？")
    expect(live).to_have_attribute("data-state", "open")

    # The stream server dies; its supervisor starts another, and both sides find it by themselves.
    stack.kill("stream")
    expect(live).not_to_have_attribute("data-state", "open")
    expect(live).to_have_attribute("data-state", "open", timeout=60_000)
    person.reply("在的，可以货到付款。")
    caller.reads("在的，可以货到付款。")
    person.record_need("货到付款")
    person.close("可以货到付款")
    person.set_presence("OFFLINE")
