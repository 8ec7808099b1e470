"""SSE by a real server, in front of the real intake service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest_asyncio
from granian.constants import Interfaces
from granian.server.embed import Server

from services.gateway.app import Parts
from services.gateway.config import GatewayConfig
from services.gateway.identity.user import User
from services.gateway.metrics import GatewayMetrics
from services.gateway.stream.app import Streams, create_stream_app
from services.gateway.web.cookies import Cookies
from services.kit.embedded import free_port
from services.kit.testing.polling import eventually
from tests.integration.gateway.conftest import SITE, Browser, new_id, token_of

WATCH = f"/v1/sites/{SITE}:watch"


@dataclass
class Live:
    """The running SSE server."""

    url: str
    streams: Streams
    metrics: GatewayMetrics

    def upstreams(self) -> float:
        """How many subscriptions to sites are open towards intake."""
        return len(self.streams.hub)

    @asynccontextmanager
    async def listen(self, path: str = WATCH, **headers: str) -> AsyncIterator[Listening]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=20) as client,
            client.stream("GET", path, headers=named) as response,
        ):
            listening = Listening(response)
            reading = asyncio.create_task(listening.read()) if response.status_code == 200 else None
            try:
                yield listening
            finally:
                if reading is not None:
                    reading.cancel()
                    await asyncio.gather(reading, return_exceptions=True)


class Listening:
    """One listener: what came so far."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.ended = False

    async def read(self) -> None:
        cursor = ""
        async for line in self.response.aiter_lines():
            if line.startswith("id: "):
                cursor = line[4:]
            if line.startswith("data: "):
                self.events.append((cursor, json.loads(line[6:])))
        self.ended = True

    def about(self, name: str) -> list[dict[str, Any]]:
        """What came about a conversation."""
        return [data for _, data in self.events if data.get("conversation") == name]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(gateway_config: GatewayConfig) -> AsyncIterator[Live]:
    port = free_port()
    metrics = GatewayMetrics()
    app = create_stream_app(replace(gateway_config, public_url="http://kefu.test"), metrics)
    server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient() as client:

        async def ready() -> bool:
            try:
                return (await client.get(f"{url}/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(ready)
    yield Live(url, app.state.streams, metrics)
    server.stop()  # type: ignore[no-untyped-call]
    await serving


async def open_conversation(parts: Parts, browser: Browser, customer: str = "") -> str:
    """A new conversation's name."""
    channel = parts.issuer.channel(site=SITE, channel="WEB", customer=customer or new_id("c"))
    asked = {"conversation": {"channel": "CHANNEL_WEB"}, "firstMessage": "在吗"}
    made = await asyncio.to_thread(replace(browser, token=channel).post, f"/v1/sites/{SITE}/conversations", asked)
    assert made.status_code == 200, made.text
    return str(made.json["name"])


def bearer(parts: Parts, role: str = "agent", site: str = SITE) -> str:
    return f"Bearer {token_of(parts, role, {site: frozenset({role})})}"


async def test_everybody_at_a_site_shares_one_subscription(live: Live, parts: Parts, browser: Browser) -> None:
    token = bearer(parts)
    async with live.listen(Authorization=token) as one, live.listen(Authorization=token) as two:
        assert one.response.headers["content-type"].startswith("text/event-stream")
        await eventually(lambda: live.upstreams() == 1)
        name = await open_conversation(parts, browser)
        await eventually(lambda: bool(one.about(name)) and bool(two.about(name)))
        assert [cursor for cursor, _ in one.events] == [cursor for cursor, _ in two.events]
        assert live.upstreams() == 1
    await eventually(lambda: live.metrics.registry.get_sample_value("kefu_gateway_streams") == 0)


async def test_a_listener_that_comes_back_misses_nothing(live: Live, parts: Parts, browser: Browser) -> None:
    token = bearer(parts)
    async with live.listen(Authorization=token) as first:
        seen = await open_conversation(parts, browser)
        await eventually(lambda: bool(first.about(seen)))
        cursor = first.events[-1][0]
    missed = await open_conversation(parts, browser)
    async with live.listen(Authorization=token, Last_Event_ID=cursor) as again:
        await eventually(lambda: bool(again.about(missed)))
        later = await open_conversation(parts, browser)
        await eventually(lambda: bool(again.about(later)))
        cursors = [one for one, _ in again.events]
        assert cursors == sorted(set(cursors), key=int)
        assert cursor not in cursors


async def test_after_a_restart_the_old_cursor_still_serves(
    live: Live, parts: Parts, browser: Browser, gateway_config: GatewayConfig
) -> None:
    token = bearer(parts)
    async with live.listen(Authorization=token) as first:
        name = await open_conversation(parts, browser)
        await eventually(lambda: bool(first.about(name)))
        cursor = first.events[0][0]
        expected = [one for one, _ in first.events if int(one) > int(cursor)]
    live.streams.hub.close()
    async with (
        live.listen(Authorization=token) as fresh,
        live.listen(f"{WATCH}?cursor={cursor}", Authorization=token) as old,
    ):
        newest = await open_conversation(parts, browser)
        await eventually(lambda: bool(old.about(newest)) and bool(fresh.about(newest)))
        cursors = [one for one, _ in old.events]
        assert cursors[: len(expected)] == expected
        assert len(cursors) == len(set(cursors))


async def test_who_may_not_listen_is_told_so(live: Live, parts: Parts, browser: Browser) -> None:
    name = await open_conversation(parts, browser)
    stranger = parts.issuer.channel(site=SITE, channel="WEB", customer=new_id("c"))
    refused = [
        (WATCH, {}, 401),
        (WATCH, {"Authorization": "Bearer nonsense"}, 401),
        (WATCH, {"Authorization": bearer(parts, "agent", "mall-centre")}, 403),
        (f"/v1/{name}:watch", {"Authorization": f"Bearer {stranger}"}, 403),
        (f"/v1/sites/{SITE}/people", {"Authorization": bearer(parts)}, 404),
        (f"{WATCH}?nonsense=1", {"Authorization": bearer(parts)}, 400),
    ]
    for path, headers, status in refused:
        async with live.listen(path, **headers) as listening:
            assert listening.response.status_code in ({403, 404} if status == 403 else {status}), path
            assert listening.response.headers["content-type"] == "application/problem+json"


async def test_a_visitor_follows_their_own_conversation(
    live: Live, parts: Parts, browser: Browser, gateway_config: GatewayConfig
) -> None:
    cookies = Cookies(gateway_config)
    visitor, value = cookies.new_visitor(SITE)
    name = await open_conversation(parts, browser, customer=visitor)
    cookie = f"{cookies.visitor(SITE)}={value}"
    async with live.listen(f"/v1/{name}:watch?as=visitor", Cookie=cookie) as listening:
        assert listening.response.status_code == 200
        await eventually(lambda: any("在吗" in json.dumps(data, ensure_ascii=False) for _, data in listening.events))


async def test_a_session_opens_streams_and_its_end_closes_them(
    live: Live, parts: Parts, gateway_config: GatewayConfig, monkeypatch: Any
) -> None:
    monkeypatch.setattr("services.gateway.stream.app.HEARTBEAT_SECONDS", 0.1)
    agent = User("agent", "agent", "Agent", {SITE: frozenset({"agent"})})
    session = await asyncio.to_thread(parts.sessions.open, agent, how="test")
    cookie = f"{Cookies(gateway_config).session}={session}"
    async with live.listen(Cookie=cookie, Origin="http://kefu.test") as listening:
        assert listening.response.headers["access-control-allow-origin"] == "http://kefu.test"
        assert listening.response.headers["access-control-allow-credentials"] == "true"
        await asyncio.to_thread(parts.sessions.sign_out, session)
        await eventually(lambda: listening.ended)


async def test_a_foreign_origin_gets_no_permission_to_read(live: Live, parts: Parts) -> None:
    async with live.listen(Authorization=bearer(parts), Origin="https://evil.example") as listening:
        assert "access-control-allow-origin" not in listening.response.headers
    async with live.listen(Authorization=bearer(parts), Origin="https://shop.example") as listening:
        assert listening.response.headers["access-control-allow-origin"] == "https://shop.example"
        assert "access-control-allow-credentials" not in listening.response.headers


async def test_streams_may_be_a_path_of_the_console_s_host(gateway_config: GatewayConfig) -> None:
    config = replace(gateway_config, stream_url="http://kefu.test/stream/")
    app = create_stream_app(config, GatewayMetrics())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kefu.test") as client:
        assert (await client.get(f"/stream{WATCH}")).status_code == 401, "found, and asked who we are"
        assert (await client.get(f"/stream/v1/sites/{SITE}/wallboard")).status_code == 404, "not a stream"
        assert (await client.get(WATCH)).status_code == 404
        assert (await client.get("/healthz")).status_code == 200, "probes come to the pod, not through the way in"
