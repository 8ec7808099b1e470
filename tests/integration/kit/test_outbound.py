"""Messages to people: through a real SMTP server and a real HTTP receiver, with bounces, retries and a late refusal."""

from __future__ import annotations

import asyncio
import base64
import email
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email import policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.kit.crypto import Keys, Vault
from services.kit.db import Database, Transaction
from services.kit.outbound import letters, signature
from services.kit.outbound.courier import Courier
from services.kit.outbound.letters import Hold, Letter, Letters, Refuse, Verdicts
from services.kit.outbound.senders import OutboundConfig, Senders
from services.kit.outbound.smtp import Smtp

SECRET = signature.new_secret()
_ids = itertools.count(1)


@dataclass
class Mailbox:
    """What the mail server answers to RCPT and DATA, and what it took."""

    answers: list[str] = field(default_factory=list)
    data_answers: list[str] = field(default_factory=list)
    got: list[Envelope] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's own name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.data_answers.pop(0) if self.data_answers else "250 OK"
        if answer.startswith("250"):
            self.got.append(envelope)
        return answer


@pytest.fixture
async def mailbox() -> AsyncIterator[tuple[Mailbox, str]]:
    """A mail server on a port of its own, and its URL."""
    box = Mailbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(box), "127.0.0.1", 0)
    yield box, f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@dataclass
class Receiver:
    """The company's own senders behind a webhook."""

    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if ": " in line)}
        self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        status = self.answers.pop(0) if self.answers else 204
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/messages"
    yield made
    server.close()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(Keys.create(tmp_path / "keys.json", "k1"))


@dataclass
class Owner:
    """A service that lets everything go unless told otherwise, and remembers how letters ended."""

    verdicts: dict[str, Refuse | Hold] = field(default_factory=dict)
    ends: list[tuple[str, str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def judge(self, tx: Transaction, letters: Sequence[Letter]) -> Verdicts:  # noqa: ARG002
        self.asked += [letter.id for letter in letters]
        return {letter.id: self.verdicts[letter.id] for letter in letters if letter.id in self.verdicts}

    async def ended(self, tx: Transaction, letter: Letter, state: str, reason: str) -> None:  # noqa: ARG002
        self.ends.append((letter.id, state, reason))


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
async def nothing_waits(database: Database) -> None:
    await database.execute("DELETE FROM kefu_letters")


async def put(database: Database, vault: Vault, channel: str = "EMAIL", **words: Any) -> Letter:
    letter = Letter(
        id=f"letter-{next(_ids)}",
        site="desk",
        channel=channel,
        reference=words.pop("reference", "sites/desk/careMessages/m"),
        **{"to": "xiaomei@example.com", "subject": "生日快乐", "text": "王小美，生日快乐！", **words},
    )
    async with database.transaction() as tx:
        await letters.queue(tx, vault, letter)
    return letter


def courier(
    database: Database, vault: Vault, owner: Owner, config: OutboundConfig, waits: Sequence[float] = (0.0, 0.0)
) -> tuple[Courier[Letter], list[str]]:
    words: list[str] = []
    senders = Senders(config, now=lambda: 1_795_000_000.0)
    return Courier(Letters(database, vault, owner), senders.send, words.append, waits=waits), words


async def row(database: Database, letter: Letter) -> dict[str, Any]:
    found = await database.fetchrow("SELECT * FROM kefu_letters WHERE id = $1", letter.id)
    assert found is not None
    return dict(found)


async def test_an_email_arrives_whole_and_its_words_are_forgotten(
    database: Database, vault: Vault, owner: Owner, mailbox: tuple[Mailbox, str], nothing_waits: None
) -> None:
    box, url = mailbox
    letter = await put(database, vault)
    assert "王小美".encode() not in (await row(database, letter))["sealed"]
    sending, words = courier(database, vault, owner, OutboundConfig(smtp=url, smtp_from="care@shop.example"))
    assert await sending.send_due() == 1
    [envelope] = box.got
    content = envelope.content
    assert isinstance(content, bytes)
    message = email.message_from_bytes(content, policy=policy.default)
    assert (envelope.rcpt_tos, message["Subject"]) == (["xiaomei@example.com"], "生日快乐")
    assert message.get_content().strip() == "王小美，生日快乐！"
    assert message["Message-ID"] == f"<{letter.id}@shop.example>"
    stored = await row(database, letter)
    assert (stored["state"], stored["sealed"], words) == ("SENT", None, ["delivered"])
    assert owner.ends == [(letter.id, "SENT", "")]
    assert await sending.send_due() == 0


async def test_an_unknown_mailbox_bounces_at_once(
    database: Database, vault: Vault, owner: Owner, mailbox: tuple[Mailbox, str], nothing_waits: None
) -> None:
    box, url = mailbox
    box.answers = ["550 5.1.1 xiaomei@example.com is unknown here"]
    letter = await put(database, vault)
    sending, words = courier(database, vault, owner, OutboundConfig(smtp=url))
    await sending.send_due()
    stored = await row(database, letter)
    assert (stored["state"], stored["last_status"], stored["last_error"]) == ("BOUNCED", 550, "SMTP 550")
    assert (stored["sealed"], words) == (None, ["bounced"])


async def test_refused_content_bounces_and_a_full_mailbox_is_tried_again(
    database: Database, vault: Vault, owner: Owner, mailbox: tuple[Mailbox, str], nothing_waits: None
) -> None:
    box, url = mailbox
    sending, words = courier(database, vault, owner, OutboundConfig(smtp=url))
    refused = await put(database, vault)
    box.data_answers = ["554 5.7.1 looks like spam"]
    await sending.send_due()
    assert (await row(database, refused))["state"] == "BOUNCED"
    busy = await put(database, vault)
    box.answers = ["452 4.2.2 mailbox full", "421 4.3.0 try later"]
    for _ in range(3):
        assert await sending.send_due() == 1
    assert ((await row(database, busy))["state"], (await row(database, busy))["tries"]) == ("SENT", 3)
    assert words == ["bounced", "retried", "retried", "delivered"]


async def test_a_mail_server_that_is_away_parks_the_letter_with_its_words(
    database: Database, vault: Vault, owner: Owner, nothing_waits: None
) -> None:
    letter = await put(database, vault)
    sending, words = courier(database, vault, owner, OutboundConfig(smtp="smtp://127.0.0.1:1"))
    for _ in range(3):
        await sending.send_due()
    stored = await row(database, letter)
    assert (stored["state"], words) == ("PARKED", ["retried", "retried", "parked"])
    assert stored["sealed"] is not None


async def test_another_channel_goes_by_the_signed_webhook(
    database: Database, vault: Vault, owner: Owner, receiver: Receiver, nothing_waits: None
) -> None:
    config = OutboundConfig(webhook=receiver.url, webhook_secret=SECRET, private=True)
    sending, words = courier(database, vault, owner, config)
    letter = await put(database, vault, "SMS", to="13800138000")
    receiver.answers = [503]
    await sending.send_due()
    await sending.send_due()
    assert words == ["retried", "delivered"]
    headers, body = receiver.got[-1]
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{letter.id}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == expected
    assert json.loads(body)["data"] == {
        "site": "desk",
        "channel": "SMS",
        "to": "13800138000",
        "subject": "生日快乐",
        "text": "王小美，生日快乐！",
    }
    gone = await put(database, vault, "SMS")
    receiver.answers = [422]
    await sending.send_due()
    assert (await row(database, gone))["state"] == "BOUNCED"


async def test_a_channel_without_a_way_out_says_what_to_set(
    database: Database, vault: Vault, owner: Owner, nothing_waits: None
) -> None:
    letter = await put(database, vault, "SMS")
    sending, _ = courier(database, vault, owner, OutboundConfig(), waits=())
    await sending.send_due()
    assert (await row(database, letter))["last_error"] == "no way out for SMS: set KEFU_MESSAGES_URL"


async def test_the_guard_refuses_and_holds_in_the_claim(
    database: Database, vault: Vault, owner: Owner, mailbox: tuple[Mailbox, str], nothing_waits: None
) -> None:
    box, url = mailbox
    refused, held = await put(database, vault), await put(database, vault)
    until = database.clock.now() + timedelta(hours=9)
    owner.verdicts = {refused.id: Refuse("NO_CONSENT"), held.id: Hold(until)}
    sending, _ = courier(database, vault, owner, OutboundConfig(smtp=url))
    assert await sending.send_due() == 0
    assert owner.ends == [(refused.id, "REFUSED", "NO_CONSENT")]
    assert (await row(database, refused))["sealed"] is None
    stored = await row(database, held)
    assert (stored["state"], stored["next_try_at"], stored["tries"]) == ("PENDING", until, 0)
    assert not box.got


async def test_what_waits_is_withdrawn_words_and_all(
    database: Database, vault: Vault, owner: Owner, nothing_waits: None
) -> None:
    letter = await put(database, vault, reference="sites/desk/careMessages/erased")
    async with database.transaction() as tx:
        assert await letters.withdraw(tx, [letter.reference], "ERASED") == 1
    stored = await row(database, letter)
    assert (stored["state"], stored["sealed"], stored["last_error"]) == ("REFUSED", None, "ERASED")


async def test_two_couriers_share_the_queue(
    database: Database, vault: Vault, owner: Owner, mailbox: tuple[Mailbox, str], nothing_waits: None
) -> None:
    box, url = mailbox
    for _ in range(30):
        await put(database, vault)
    pair = [courier(database, vault, owner, OutboundConfig(smtp=url))[0] for _ in range(2)]
    await asyncio.gather(*(one.send_due() for one in pair))
    await asyncio.gather(*(one.send_due() for one in pair))
    assert len(box.got) == 30


async def test_a_line_break_makes_no_header(mailbox: tuple[Mailbox, str]) -> None:
    box, url = mailbox
    outcome = await Smtp(url, "care@shop.example").send(
        message_id="m", to="a@example.com", subject="x\r\nBcc: all@example.com", text=""
    )
    assert (outcome.fate.name, outcome.error) == ("BOUNCED", "no e-mail can be made of it: ValueError")
    assert not box.got


async def test_a_password_never_travels_in_the_clear(mailbox: tuple[Mailbox, str]) -> None:
    box, url = mailbox
    secret = url.replace("smtp://", "smtp://care:secret@")
    outcome = await Smtp(secret, "care@shop.example").send(message_id="m", to="a@example.com", subject="", text="")
    assert outcome.fate.name == "FAILED"
    assert not box.got


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "mail.example:25"])
def test_a_url_that_is_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="smtp://host:port"):
        OutboundConfig(smtp=url)
