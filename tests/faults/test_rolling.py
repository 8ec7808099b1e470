"""Every replica of every service is restarted in turn while people work: no call fails, and nothing is lost.

`make rolling` goes round several times and prints the figures; BUSY=2 keeps two cores busy beside it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from services.kit.access import Kind
from tests.bench.report import Report
from tests.faults.replicas import Replicas, running
from tests.faults.rig import until

SITE = "online-desk"
WRITERS = 4
TOKEN_SECONDS = 3600
ANSWERS_BETWEEN = 40  # calls answered between two restarts
ROUNDS = int(os.environ.get("KEFU_ROUNDS", "1"))
BUSY = int(os.environ.get("KEFU_BUSY", "0"))  # processes that do nothing but burn a core


@dataclass
class Load:
    """What was answered, and what was not."""

    replicas: Replicas
    http: httpx.AsyncClient
    answered: int = 0
    longest_s: float = 0.0
    failed: list[str] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)  # name → text

    async def call(self, verb: str, path: str, token: str, body: Any = None) -> Any:
        """One call through whichever gateway is next; a failure is written down, never repeated."""
        began = time.monotonic()
        with self.replicas.gateway() as address:
            url = f"http://{address}/v1/{path}"
            try:
                reply = await self.http.request(verb, url, json=body, headers={"Authorization": f"Bearer {token}"})
            except httpx.HTTPError as error:
                self.failed.append(f"{verb} {url}: {error!r}")
                return {}
        if not reply.is_success:
            self.failed.append(f"{verb} {url}: {reply.status_code} {reply.text}")
            return {}
        self.answered += 1
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        return reply.json()

    async def kept(self) -> dict[str, str]:
        """Every customer's message that is there, by name, as a supervisor reads it; the first words are theirs too."""
        token = self.replicas.signer.sign(
            "boss", Kind.PERSON, ttl=TOKEN_SECONDS, sites={SITE: ["supervisor"]}, person="boss"
        )
        found: dict[str, str] = {}
        for parent in {name.rpartition("/messages/")[0] for name in self.said}:
            page = ""
            while True:
                path = f"{parent}/messages?pageSize=500&pageToken={page}"
                answer = await self.call("GET", path, token)
                texts = {one["name"]: one.get("text", "") for one in answer["messages"]}
                found |= {name: text for name, text in texts.items() if text.startswith("words ")}
                if not (page := answer.get("nextPageToken", "")):
                    break
        return found

    async def customer(self, name: str, stop: asyncio.Event) -> None:
        """Write to intake and read from every service, one call after the other."""
        token = self.replicas.signer.sign(
            name, Kind.CUSTOMER, ttl=TOKEN_SECONDS, site=SITE, channel="WEB", customer=name
        )
        boss = self.replicas.signer.sign(
            "boss", Kind.PERSON, ttl=TOKEN_SECONDS, sites={SITE: ["supervisor"]}, person="boss"
        )
        body = {"conversation": {"channel": "CHANNEL_WEB", "queue": "GENERAL"}, "requestId": f"{name}-open"}
        parent = (await self.call("POST", f"sites/{SITE}/conversations", token, body))["name"]
        number = 0
        while not stop.is_set():
            number += 1
            text = f"words {number} of {name}"
            message = {"message": {"text": text, "kind": "KIND_TEXT"}, "requestId": f"{name}-{number}"}
            made = await self.call("POST", f"{parent}/messages", token, message)
            if "name" in made:
                self.said[made["name"]] = text
            await self.call("GET", parent, token)
            for what in ("people", "customers", "recordings"):
                await self.call("GET", f"sites/{SITE}/{what}", boss)


@asynccontextmanager
async def busy_cores(number: int) -> AsyncIterator[None]:
    """So many processes that leave no core idle."""
    burning = [await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass") for _ in range(number)]
    try:
        yield
    finally:
        for one in burning:
            one.kill()
            await one.wait()


@pytest.mark.slow
@pytest.mark.timeout(240 + 600 * ROUNDS)  # a bound against hanging
async def test_a_rolling_restart_under_load_fails_no_call(scratch: Path, tmp_path: Path) -> None:
    async with running(scratch / tmp_path.name) as replicas, replicas.client() as http, busy_cores(BUSY):
        load, stop = Load(replicas, http), asyncio.Event()
        customers = [asyncio.create_task(load.customer(f"c-{number}", stop)) for number in range(WRITERS)]
        restarts = 0
        try:
            for replica in replicas.all * ROUNDS:
                await until(_answers(load, customers), f"{ANSWERS_BETWEEN} more answers")
                assert await replicas.restart(replica) == 0
                restarts += 1
            await until(_answers(load, customers), f"{ANSWERS_BETWEEN} more answers")
        finally:
            stop.set()
            await asyncio.gather(*customers)
            _report(load, restarts)
        assert load.failed == []
        assert len(set(load.said.values())) == len(load.said)
        assert await load.kept() == load.said
        await until(lambda: _waiting_once(load), "the queues to be exposed by one replica, each customer counted once")


def _report(load: Load, restarts: int) -> None:
    report = Report("rolling")
    report.add("restarts under load", restarts, "", note=f"{BUSY} cores kept busy beside it" if BUSY else "")
    report.add("calls answered", load.answered, "")
    report.add("calls failed", len(load.failed), "", at_most=0)
    report.add("longest call", load.longest_s, "s")
    report.finish()


async def _waiting_once(load: Load) -> bool:
    """P10: a gauge of the database comes from one process, however many there are."""
    texts = [(await load.http.get(f"http://{one}/metrics")).text for one in load.replicas.metrics("intake")]
    found = [sample for text in texts for family in parse(text) for sample in family.samples]
    return sum(one.value for one in found if one.name == "kefu_intake_queue_waiting") == WRITERS


def _answers(load: Load, customers: list[asyncio.Task[None]]) -> Callable[[], Any]:
    goal = load.answered + ANSWERS_BETWEEN

    async def enough() -> bool:
        for one in customers:
            if one.done():
                one.result()
        return load.answered >= goal

    return enough
