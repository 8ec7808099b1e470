"""A load generator that costs little: one connection per client, plain HTTP/1.1 over asyncio streams.

It shares the machine with what it measures, so that every microsecond that it saves is one for the server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Shot:
    """One request, ready to be sent."""

    kind: str
    data: bytes


@dataclass(slots=True)
class Outcome:
    """What a run saw: seconds of each answer by kind, and statuses other than 200."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    failed: dict[int, int] = field(default_factory=dict)
    took: float = 0.0

    @property
    def answers(self) -> list[float]:
        """Seconds of every answer."""
        return [one for times in self.seconds.values() for one in times]

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return (len(self.answers) - sum(self.failed.values())) / self.took


def request(verb: str, path: str, *, host: str, token: str = "", body: bytes = b"") -> bytes:
    """The bytes of a request."""
    lines = [f"{verb} {path} HTTP/1.1", f"Host: {host}", "Accept: application/json"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body or verb == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> tuple[int, bytes]:
    """Send one request and read its answer: (status, body)."""
    writer.write(data)
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    place = head.lower().find(b"content-length: ")
    if place < 0:
        return status, b""
    length = int(head[place + 16 : head.index(b"\r\n", place)])
    return status, await reader.readexactly(length)


async def closed_loop(
    address: tuple[str, int], next_shot: Callable[[], Shot], *, clients: int, seconds: float
) -> Outcome:
    """Each client sends as soon as it has its answer: what the server can do."""
    outcome = Outcome()
    end = time.perf_counter() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection(*address)
        while (began := time.perf_counter()) < end:
            shot = next_shot()
            status, _ = await exchange(reader, writer, shot.data)
            _note(outcome, shot, status, time.perf_counter() - began)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    outcome.took = time.perf_counter() - began
    return outcome


async def open_loop(
    address: tuple[str, int], next_shot: Callable[[], Shot], *, rate: float, clients: int, seconds: float
) -> Outcome:
    """Requests at a steady rate; a late answer counts from the moment at which its request was due."""
    outcome = Outcome()
    due: asyncio.Queue[float] = asyncio.Queue()

    async def client() -> None:
        reader, writer = await asyncio.open_connection(*address)
        while (asked := await due.get()) >= 0:
            shot = next_shot()
            status, _ = await exchange(reader, writer, shot.data)
            _note(outcome, shot, status, time.perf_counter() - asked)
        writer.close()

    running = [asyncio.create_task(client()) for _ in range(clients)]
    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        at = began + number / rate
        if (wait := at - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        due.put_nowait(at)
    for _ in running:
        due.put_nowait(-1.0)
    await asyncio.gather(*running)
    outcome.took = time.perf_counter() - began
    return outcome


def _note(outcome: Outcome, shot: Shot, status: int, seconds: float) -> None:
    outcome.seconds.setdefault(shot.kind, []).append(seconds)
    if status != 200:
        outcome.failed[status] = outcome.failed.get(status, 0) + 1
