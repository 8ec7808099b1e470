"""What a person at work and a customer do in their windows, in either language."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from services.gateway.console.texts import texts

SITE = "online-desk"


class Person:
    """Somebody at work."""

    def __init__(self, page: Page, language: str) -> None:
        self.page = page
        self.words = texts(language)

    def sign_in(self, user_name: str, password: str) -> None:
        """Through the sign-in page, as a person does."""
        self.page.goto("/")
        self.page.get_by_label(self.words("sign_in.user_name")).fill(user_name)
        self.page.get_by_label(self.words("sign_in.password"), exact=True).fill(password)
        self.page.get_by_role("button", name=self.words("sign_in.submit")).click()
        expect(self.page.locator(".rail")).to_be_visible()
        self.page.wait_for_load_state()  # until then keys do nothing yet

    def go(self, page: str) -> None:
        """To one of the pages of the site."""
        self.page.goto(f"/s/{SITE}/{page}")

    def set_presence(self, state: str) -> None:
        """By the menu in the bar."""
        self.page.locator("#presence > summary").click()
        self.page.get_by_role("menuitemradio", name=self.words(f"presence.{state}")).click()
        expect(self.page.locator(f"#presence > summary .dot.{state}")).to_be_visible()

    def offer(self, customer: str) -> Locator:
        """The conversation of a customer in the list."""
        return self.page.locator("#list .item").filter(has_text=customer)

    def accept(self, customer: str) -> None:
        """Takes a conversation that is offered and waits until it is open."""
        self.offer(customer).get_by_role("button", name=self.words("action.accept")).click()
        expect(self.page.locator(".conversation .head h2")).to_have_text(customer)
        self.page.wait_for_load_state()

    def reply(self, text: str) -> None:
        """Writes and sends with the keyboard."""
        self.page.locator("#text").fill(text)
        self.page.locator("#text").press("Control+Enter")
        expect(self.page.locator("#thread")).to_contain_text(text)

    def record_need(self, need: str) -> None:
        """What the customer needs, and where they come from."""
        self.page.locator("#need").fill(need)
        self.page.locator("#details").get_by_role("button", name=self.words("action.save")).click()
        expect(self.page.locator(".head .actions [data-open=close]")).to_be_visible()
        expect(self.page.locator("#close-reception")).to_be_empty()

    def close(self, summary: str) -> None:
        """With every step that the site asks for."""
        self.page.get_by_role("button", name=self.words("action.close_conversation")).click()
        dialog = self.page.locator("dialog[open]")
        dialog.locator("#summary").fill(summary)
        for box in dialog.get_by_role("checkbox").all():
            box.check()
        dialog.get_by_role("button", name=self.words("action.close_conversation")).click()


class Customer:
    """A customer on the chat page."""

    def __init__(self, page: Page, language: str, name: str) -> None:
        self.page = page
        self.words = texts(language)
        self.name = name

    def ask(self, text: str) -> None:
        """Opens the page and asks."""
        self.page.goto(f"/chat/{SITE}")
        self.page.get_by_label(self.words("chat.name")).fill(self.name)
        self.say(text)
        expect(self.page.locator("#thread")).to_contain_text(text)

    def say(self, text: str) -> None:
        """Types and presses Enter."""
        self.page.locator("#text").fill(text)
        self.page.locator("#text").press("Enter")

    def reads(self, text: str) -> None:
        """Sees the words arrive by themselves."""
        expect(self.page.locator("#thread")).to_contain_text(text)

    def rate(self, score: int) -> None:
        """Stars."""
        self.page.locator(f'label[for="score-{score}"]').click()
        self.page.get_by_role("button", name=self.words("chat.send_rating")).click()
