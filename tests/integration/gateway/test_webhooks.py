"""Webhooks from an event in JetStream to a receiver that checks the signature."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from kefu.events.v1.event_pb2 import Event

from services.gateway.config import GatewayConfig
from services.gateway.metrics import GatewayMetrics
from services.gateway.webhooks import store
from services.gateway.webhooks.events import Intake
from services.gateway.webhooks.sender import sender as make_courier
from services.gateway.webhooks.store import Due
from services.gateway.worker import CONSUMER, SUBJECTS
from services.kit import bus
from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.embedded import EmbeddedNats
from services.kit.erasure import Handler
from services.kit.errors import InvalidArgument
from services.kit.inbox import Consumer
from services.kit.outbound import courier, signature
from services.kit.outbound.courier import Courier
from services.kit.outbound.egress import Egress, RefusedAddressError, check_url, is_public
from services.kit.outbox import subject_of
from services.kit.testing.polling import eventually
from tests.integration.gateway.conftest import SITE, Browser, new_id, token_of

WEBHOOKS = f"/v1/sites/{SITE}/webhooks"


@dataclass
class Receiver:
    """A real HTTP server that answers as told and remembers what it got."""

    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        plain = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
        body = await reader.readexactly(int(headers["content-length"]))
        self.got.append(({name.lower(): value for name, value in plain.items()}, body))
        status = self.answers.pop(0) if self.answers else 200
        place = b"Location: http://127.0.0.1:1/\r\n" if status == 302 else b""
        writer.write(b"HTTP/1.1 %d X\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n" % (status, place))
        await writer.drain()
        writer.close()


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(gateway_config: GatewayConfig) -> AsyncIterator[Database]:
    """The gateway's database, on the test's own loop."""
    opened = Database(gateway_config.database, "gateway", size=4)
    await opened.open(hints=False)
    yield opened
    await opened.close()


@pytest.fixture
def make_sender(database: Database, gateway_config: GatewayConfig) -> Callable[..., Courier[Due]]:
    def make(*, private: bool = True, waits: tuple[float, ...] = (0.0, 0.0)) -> Courier[Due]:
        assert gateway_config.sealing_keys is not None
        vault = Vault(Keys.read(gateway_config.sealing_keys))
        return make_courier(database, vault, Egress(private=private), GatewayMetrics().deliveries, waits=waits)

    return make


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def nothing_subscribed(database: Database) -> None:
    """Each test begins without anybody else's webhooks."""
    await database.execute("DELETE FROM webhooks")


async def subscribe(admin: Browser, receiver: Receiver, *kinds: str) -> tuple[str, str]:
    """A webhook's (name, secret)."""
    body = {"webhook": {"url": receiver.url, "kinds": list(kinds) or ["*"]}}
    made = await asyncio.to_thread(admin.post, WEBHOOKS, body)
    assert made.status_code == 200, made.text
    return made.json["webhook"]["name"], made.json["secret"]


def event(site: str = SITE, **fact: Any) -> Event:
    made = Event(id=new_id("e"), source="intake", site=site, aggregate=f"sites/{site}/conversations/c", version=1)
    made.occurred_at.FromSeconds(1_795_000_000)
    if fact:
        made.person_changed.display_name = fact["display_name"]
    else:
        made.conversation_moved.to_state = "CLOSED"
    return made


async def arrive(database: Database, happened: Event) -> None:
    async with database.transaction() as tx:
        await Intake(lambda: None)(happened, tx)


async def deliveries(admin: Browser, name: str) -> list[dict[str, Any]]:
    reply = await asyncio.to_thread(admin.get, f"/v1/{name}/deliveries")
    found: list[dict[str, Any]] = reply.json["deliveries"]
    return found


def ours(receiver: Receiver, ids: list[str]) -> list[tuple[dict[str, str], bytes]]:
    """What came of these events; other tests' events pass through the same stream."""
    return [(headers, body) for headers, body in receiver.got if headers["webhook-id"] in ids]


async def test_an_event_reaches_its_receiver_signed_and_once(
    admin: Browser,
    receiver: Receiver,
    database: Database,
    make_sender: Callable[..., Courier[Due]],
    nats_server: EmbeddedNats,
) -> None:
    name, secret = await subscribe(admin, receiver, "conversation_moved")
    sender = make_sender()
    consumer = Consumer(database, nats_server.url, name=CONSUMER, subjects=SUBJECTS, handler=Intake(sender.news.set))
    running = [asyncio.create_task(consumer.run()), asyncio.create_task(sender.run())]
    happened = event()
    async with bus.connected(nats_server.url, "test") as link:
        await bus.ensure_stream(link.jetstream)
        for _ in range(3):
            await link.jetstream.publish(subject_of(happened), happened.SerializeToString())
        other = event(site="mall-centre")
        await link.jetstream.publish(subject_of(other), other.SerializeToString())
        last = event()
        await link.jetstream.publish(subject_of(last), last.SerializeToString())
    wanted = [happened.id, last.id]

    async def noted() -> bool:
        states = {one["event"]: one["state"] for one in await deliveries(admin, name)}
        return [states.get(one) for one in wanted] == ["STATE_DELIVERED"] * 2

    await eventually(noted)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    sent = [headers["webhook-id"] for headers, _ in ours(receiver, [*wanted, other.id])]
    assert sorted(sent) == sorted(wanted)
    headers, body = ours(receiver, wanted)[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == expected
    document = json.loads(body)
    assert document["type"] == "conversation_moved"
    assert document["data"]["conversationMoved"]["toState"] == "CLOSED"


async def test_a_failed_delivery_is_tried_again_then_parked_then_retried_by_hand(
    admin: Browser, receiver: Receiver, database: Database, make_sender: Callable[..., Courier[Due]]
) -> None:
    name, _ = await subscribe(admin, receiver)
    receiver.answers = [500, 302, 404]
    await arrive(database, event())
    sender = make_sender(waits=(0.0, 0.0))
    for tries in (1, 2, 3):
        assert await sender.send_due() == 1
        assert (await deliveries(admin, name))[0]["tries"] == tries
    found = (await deliveries(admin, name))[0]
    assert (found["state"], found["lastStatus"]) == ("STATE_PARKED", 404)
    assert await sender.send_due() == 0
    again = await asyncio.to_thread(admin.post, f"/v1/{found['name']}:retry")
    assert again.json["state"] == "STATE_PENDING"
    assert await sender.send_due() == 1
    assert (await deliveries(admin, name))[0]["state"] == "STATE_DELIVERED"
    assert (await asyncio.to_thread(admin.post, f"/v1/{found['name']}:retry")).json["reason"] == "WRONG_STATE"
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


async def test_while_a_secret_changes_both_sign(
    admin: Browser, receiver: Receiver, database: Database, make_sender: Callable[..., Courier[Due]]
) -> None:
    name, old = await subscribe(admin, receiver)
    new = (await asyncio.to_thread(admin.post, f"/v1/{name}:rotateSecret")).json["secret"]
    await arrive(database, event())
    await make_sender().send_due()
    headers, body = receiver.got[-1]
    expected = [
        signature.sign(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), body) for secret in (new, old)
    ]
    assert headers["webhook-signature"].split(" ") == expected


async def test_nothing_personal_leaves(
    admin: Browser, receiver: Receiver, database: Database, make_sender: Callable[..., Courier[Due]]
) -> None:
    name, secret = await subscribe(admin, receiver)
    await arrive(database, event(display_name="王小明"))
    await make_sender().send_due()
    assert json.loads(receiver.got[-1][1])["type"] == "person_changed"
    assert "王小明" not in receiver.got[-1][1].decode()
    stored = await database.fetchval("SELECT secret_sealed FROM webhooks WHERE id = $1", name.rsplit("/", 1)[1])
    assert secret.encode() not in stored


async def test_a_private_address_is_never_called(
    admin: Browser, receiver: Receiver, database: Database, make_sender: Callable[..., Courier[Due]]
) -> None:
    name, _ = await subscribe(admin, receiver)
    await arrive(database, event())
    assert await make_sender(private=False, waits=()).send_due() == 1
    found = (await deliveries(admin, name))[0]
    assert found["state"] == "STATE_PARKED"
    assert "private address" in found["lastError"]
    assert not receiver.got


async def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(RefusedAddressError):
        await Egress(private=False).post("https://rebind.example/", b"{}", {})


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "::1",
        "::",
        "fc00::1",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2001:db8::1",
    ],
)
def test_private_addresses_are_recognised(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_are_recognised(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://localhost/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://user@example.com/",
        "https://example.com:99999/",
        "https://metadata.internal/",
        "https://017700000001/",
        "ftp://example.com/",
        "https:///path",
    ],
)
def test_a_url_that_leads_inside_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument):
        check_url(url, private=False)


def test_a_receivers_url_is_accepted() -> None:
    check_url("https://hooks.example.com:8443/kefu?shop=1", private=False)


def test_webhooks_are_idempotent_listed_and_kept_to_their_site(parts: Any, admin: Browser) -> None:
    body, key = {"webhook": {"url": "http://127.0.0.1:1/", "kinds": ["clock_changed"]}}, new_id("key")
    first = admin.post(WEBHOOKS, body, Idempotency_Key=key).json
    again = admin.post(WEBHOOKS, body, Idempotency_Key=key).json
    assert again["webhook"] == first["webhook"]
    assert (bool(first["secret"]), again["secret"]) == (True, "")
    name = first["webhook"]["name"]
    assert name in [one["name"] for one in admin.get(f"{WEBHOOKS}?pageSize=200").json["webhooks"]]
    assert first["secret"] not in admin.get(f"/v1/{name}").text
    wrong = admin.post(WEBHOOKS, {"webhook": {"url": "http://127.0.0.1:1/", "kinds": ["nonsense"]}})
    assert wrong.json["fields"][0]["field"] == "webhook.kinds"
    assert admin.call("DELETE", f"/v1/{name}").status_code == 200
    assert admin.get(f"/v1/{name}").status_code == 404
    elsewhere = name.replace(SITE, "mall-centre")
    assert admin.get(f"/v1/{elsewhere}").status_code == 404
    admin.token = token_of(parts, "m", {"mall-centre": frozenset({"manager"})})
    assert admin.get(f"/v1/{name}").status_code == 403
    admin.token = token_of(parts, "a", {SITE: frozenset({"agent"})})
    assert admin.post(WEBHOOKS, body).status_code == 403


def test_the_waits_add_up_to_more_than_a_day() -> None:
    assert 86_400 < sum(courier.WAITS) < 2 * 86_400


async def test_a_forgotten_customer_is_in_no_delivery(admin: Browser, receiver: Receiver, database: Database) -> None:
    name, _ = await subscribe(admin, receiver)
    for customer in ("c-gone", "c-stays"):
        happened = event()
        happened.tier_changed.customer, happened.tier_changed.tier = customer, "VIP"
        await arrive(database, happened)
    asked = event()
    asked.erasure_requested.request = f"sites/{SITE}/dataRequests/r"
    asked.erasure_requested.customers.append("c-gone")
    async with database.transaction() as tx:
        await Handler(store.forget)(asked, tx)
        [answer] = [one.event for one in tx.events]
    assert dict(answer.erasure_done.erased) == {"webhook_deliveries": 1}
    assert [one["kind"] for one in await deliveries(admin, name)] == ["tier_changed"]
    bodies = await database.fetch("SELECT convert_from(body, 'UTF8') AS body FROM webhook_deliveries")
    assert [json.loads(one["body"])["data"]["tierChanged"]["customer"] for one in bodies] == ["c-stays"]
