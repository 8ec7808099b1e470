"""`python -m tests.browser.screenshots [FOLDER]`: the pictures of docs/screenshots, taken from a real stack."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from services.gateway.console import vendor
from services.gateway.console.present.conversations import conversation_id
from tests.browser import chromium, stack
from tests.browser.people import Customer, Person
from tests.browser.scene import Scene, say
from tests.browser.stack import Stack

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
WIDE, PHONE = (1440, 900), (390, 844)


class Look(NamedTuple):
    """Size, colours and language of a picture."""

    size: tuple[int, int]
    scheme: str
    language: str


LOOKS = [
    Look(WIDE, "light", "zh_CN"),
    Look(WIDE, "dark", "en"),
    Look(WIDE, "dark", "zh_CN"),
    Look(WIDE, "light", "en"),
    Look(PHONE, "light", "zh_CN"),
    Look(PHONE, "dark", "en"),
]
VISITORS = [
    ("孙先生", "GENERAL", "会员积分什么时候到账？"),
    ("李女士", "GENERAL", "这款还有 M 码吗？"),
    ("Anna Schmidt", "ACCOUNT", "My card was charged twice."),
    ("何先生", "ACCOUNT", "怎么开增值税发票？"),
    ("杨女士", "SPECIALIST", "路由器固件升级后无法联网"),
    ("郭先生", "GENERAL", "可以改成明天送货吗？"),
    ("马女士", "COMPLAINTS", "包装破损，我要投诉"),
    ("罗先生", "GENERAL", "优惠券可以叠加吗？"),
    ("Tom Becker", "GENERAL", "Do you ship to Hong Kong?"),
    ("高女士", "ACCOUNT", "账户被锁定了怎么办"),
]


COLLEAGUES = ("wuqiang_online_desk", "xuyan_online_desk", "mafei_online_desk", "huxia_online_desk")


def main(folder: Path) -> None:
    """Play the scene and take every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    vendor.ensure()
    with tempfile.TemporaryDirectory() as scratch, stack.running(Path(scratch)) as running:
        scene = Scene(running.home)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium.install(), args=list(chromium.FLAGS))
            studio = Studio(browser, running, folder)
            studio.stop_simulation()
            conversation = _play(scene)
            for look in LOOKS:
                studio.desk(look, conversation)
            scene.presence(**dict.fromkeys(COLLEAGUES, "AVAILABLE"))
            for look in LOOKS:
                studio.chat(look, scene)
            browser.close()
        scene.close()


def _play(scene: Scene) -> str:
    """The desk of 王芳 with four conversations at different points of their promises, colleagues busy around her."""
    scene.presence(**dict.fromkeys(COLLEAGUES, "AVAILABLE"), zhangwei="BUSY")
    for number, (name, queue, text) in enumerate(VISITORS):
        conversation, visitor = scene.ask(name, text, queue=queue)
        colleague = scene.answer(conversation, "您好，我来帮您查看，请稍等。")
        if colleague is not None and number % 2:
            scene.finish(conversation, colleague, visitor, rating=5 - number % 3 // 2)
    # Now only she takes work: the next four come to her.
    scene.presence(**dict.fromkeys(COLLEAGUES, "BUSY"), wangfang="AVAILABLE")
    late, _ = scene.ask("刘女士", "发票抬头填错了怎么办？", queue="ACCOUNT")
    first, customer = scene.ask("王小姐", "订单 20461 还没有发货，想修改收货地址", tier="VIP")
    her = scene.answer(first, "您好王小姐，可以的。请您提供新的收货地址，我马上为您核对。")
    if her is None:
        raise RuntimeError("nobody took the first conversation")
    say(customer, first, "新地址：杭州市西湖区文三路 138 号 3 幢 502")
    say(her, first, "仓库：今天 15:00 出库，需在此之前拦截。", note=True)
    say(her, first, "已为您提交修改，仓库会在 15:00 之前更新，请您放心。")
    say(customer, first, "太好了，谢谢！那大概什么时候能到呢？")
    her.act("need", first, need="修改收货地址", source="ORDER")
    _until_late(scene, late)
    second, other = scene.ask("Daniel Wu", "My invoice shows the wrong company name", queue="ACCOUNT", tier="CORE")
    scene.answer(second, "Thank you, I am looking at it.")
    say(other, second, "It should read “Wu Trading Ltd.”")
    scene.ask("周先生", "你好，请问这款支持七天无理由退货吗？")
    # Everybody has their hands full: two wait.
    scene.presence(huxia_online_desk="BREAK")
    scene.ask("蒋先生", "手机号换了，怎么修改？", queue="ACCOUNT")
    scene.ask("Emily Ross", "Can I change the delivery date?")
    return first


def _until_late(scene: Scene, conversation: str) -> None:
    """The promise of 刘女士 breaks: the picture shows one."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        clocks = scene.office.conversation(conversation).clocks
        if any(clock.state == clock.STATE_BREACHED for clock in clocks):
            return
        time.sleep(0.5)
    raise RuntimeError("the promise did not break within 60 s")


class Studio:
    """Takes pictures of one stack."""

    def __init__(self, browser: Browser, running: Stack, folder: Path) -> None:
        self._browser = browser
        self._stack = running
        self._folder = folder

    def stop_simulation(self) -> None:
        """Nothing here is simulated traffic."""
        page = self._window(LOOKS[0])
        self._sign_in(page, LOOKS[0], "admin")
        page.locator("#simulation button").click()
        page.wait_for_function("() => document.querySelector('#simulation input[name=running]').value === '1'")
        page.context.close()

    def desk(self, look: Look, conversation: str) -> None:
        """Sign-in, desk and wallboard."""
        page = self._window(look)
        page.goto("/sign-in")
        self._save(page, "sign-in", look)
        person = self._sign_in(page, look, "wangfang")
        person.go("desk" if look.size == PHONE else f"desk/{conversation}")
        self._save(page, "desk", look)
        if look.size == PHONE:
            person.go(f"desk/{conversation}")
            self._save(page, "conversation", look)
        page.context.close()
        page = self._window(look)
        self._sign_in(page, look, "zhangwei").go("wallboard")
        self._save(page, "wallboard", look, whole=look.size != PHONE)
        page.context.close()

    def chat(self, look: Look, scene: Scene) -> None:
        """A customer's chat page in the middle of a conversation."""
        page = self._window(look)
        chinese = look.language == "zh_CN"
        caller = Customer(page, look.language, "梁女士" if chinese else "Grace Miller")
        caller.ask("你好，七天无理由退货怎么办理？" if chinese else "Hello, how do I return an item?")
        opened = conversation_id(scene.office.conversations(page_size=1).conversations[0].name)
        reply = (
            "您好，在订单页点“申请退货”，快递会上门取件。"
            if chinese
            else "Choose “Return” on the order; we collect it."
        )
        colleague = scene.answer(opened, reply)
        caller.reads(reply)
        caller.say("好的，运费谁承担？" if chinese else "Great, who pays for shipping?")
        caller.reads("运费" if chinese else "shipping")
        self._save(page, "chat", look)
        if colleague is not None:  # makes room for the next customer
            colleague.act("need", opened, need="退货", source="ORDER")
            colleague.act("close", opened, summary="已说明", asked_anything_else=True, farewell=True)
        page.context.close()

    def _window(self, look: Look) -> Page:
        context = self._browser.new_context(
            base_url=self._stack.url,
            viewport={"width": look.size[0], "height": look.size[1]},
            locale="zh-CN" if look.language == "zh_CN" else "en-US",
            color_scheme="dark" if look.scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        return context.new_page()

    def _sign_in(self, page: Page, look: Look, user_name: str) -> Person:
        person = Person(page, look.language)
        person.sign_in(user_name, self._stack.password(user_name))
        return person

    def _save(self, page: Page, name: str, look: Look, *, whole: bool = False) -> None:
        page.wait_for_load_state("load")
        _settled(page)
        language = look.language.partition("_")[0]
        page.screenshot(path=self._folder / f"{name}-{look.size[0]}-{look.scheme}-{language}.png", full_page=whole)


def _settled(page: Page) -> None:
    """Live, with the chart drawn: nothing moves any more but the clocks."""
    page.wait_for_function(
        "() => [...document.querySelectorAll('.live')].every(one => one.dataset.state === 'open')"
        " && (!document.getElementById('trend') || document.querySelector('#trend svg'))"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
