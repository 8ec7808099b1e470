"""A browser, a stack, and people in front of it. Every test fails on an error in the browser's console."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from services.gateway.console import vendor
from tests.browser import chromium as browsers
from tests.browser import stack as stacks
from tests.browser.people import Customer, Person
from tests.browser.stack import Stack


@pytest.fixture(scope="package")  # its driver keeps a loop running in this thread, which no test after these may meet
def chromium() -> Iterator[Browser]:
    """A headless Chromium; where none can be had it skips, or fails with KEFU_REQUIRE_BROWSER as in `.ci/run`."""
    path = browsers.find()
    if path is None:
        missing = "no Chromium on this machine: run `python -m tests.browser.chromium`, or name one in KEFU_CHROMIUM"
        (pytest.fail if os.environ.get("KEFU_REQUIRE_BROWSER") else pytest.skip)(missing)
    expect.set_options(timeout=15_000)  # a machine that runs every test at once is slow, not wrong
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(browsers.FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A real stack whose online desk promises its first response within stacks.PROMISE_SECONDS."""
    vendor.ensure()
    with stacks.running(tmp_path_factory.mktemp("console"), promise_seconds=stacks.PROMISE_SECONDS) as running:
        yield running


@pytest.fixture
def provoked() -> set[int | str]:
    """What a test brings about on purpose, though browsers note it as an error: HTTP statuses, or part of the words."""
    return set()


@pytest.fixture
def window(chromium: Browser, stack: Stack, provoked: set[int | str]) -> Iterator[Callable[..., Page]]:
    """Opens browser windows that share nothing; at the end nothing may have gone wrong in any of them."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def note(message: ConsoleMessage, page: Page) -> None:
        if message.type == "error":
            faults.append(f"{page.url}: {message.text}")

    def open_window(language: str = "zh_CN", *, width: int = 1440, height: int = 900, scheme: str = "light") -> Page:
        context = chromium.new_context(
            base_url=stack.url,
            viewport={"width": width, "height": height},
            locale="zh-CN" if language == "zh_CN" else "en-US",
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",  # what moves is drawn sixty times a second, without a graphics card by the CPU
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: note(message, page))
        return page

    yield open_window
    for context in contexts:
        context.close()
    expected = [f"status of {one}" for one in provoked] + [f"Status Error Code {one}" for one in provoked]
    expected += [one for one in provoked if isinstance(one, str)]
    assert [fault for fault in faults if not any(one in fault for one in expected)] == []


@pytest.fixture
def agent(window: Callable[..., Page], stack: Stack) -> Callable[..., Person]:
    """Signs a demonstration person in."""

    def sign_in(user_name: str = "wangfang", language: str = "zh_CN", **how: int) -> Person:
        person = Person(window(language, **how), language)
        person.sign_in(user_name, stack.password(user_name))
        return person

    return sign_in


@pytest.fixture
def customer(window: Callable[..., Page]) -> Callable[..., Customer]:
    """A customer with a telephone."""

    def arrive(name: str, language: str = "zh_CN") -> Customer:
        return Customer(window(language, width=390, height=844), language, name)

    return arrive
