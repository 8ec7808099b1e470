"""`make bench-scale`: what a message costs with ten thousand stored and with ten million, and with two replicas.

The stored ones are written by SQL in the shape that a year leaves behind (ten messages a conversation, an entry of
history each, all closed); the measured ones go through the API with everything on, beside the echo of the same minute.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import uvloop

from services.kit.embedded import EmbeddedPostgres
from tests.bench import intake_processes as intake
from tests.bench.intake_load import Load, client, median
from tests.bench.report import Report, quick

FEW, MANY = (10_000, 100_000) if quick() else (10_000, 10_000_000)
A_CONVERSATION = 10
BATCH = 200_000
ROUNDS, SECONDS = (2, 3.0) if quick() else (5, 6.0)
FLAT = 1.15

_CONVERSATIONS = """
INSERT INTO conversations SELECT (jsonb_populate_record(one.c, jsonb_build_object(
    'id', '00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'),
    'external_id', 'old-' || n, 'customer', 'old-' || n % 100000, 'state', 'CLOSED', 'burst_key', '', 'timer_at', NULL,
    'created_at', (one.c).created_at - make_interval(secs => $2 - n)))).*
FROM (SELECT c FROM conversations c ORDER BY id LIMIT 1) one, generate_series($1::bigint, $2::bigint - 1) n
"""
_MESSAGES = """
INSERT INTO messages SELECT m.site, '00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'),
    '00000000-0000-7000-8001-' || lpad(to_hex(n * 10 + k), 12, '0'), m.author_kind, m.author, m.kind, m.text,
    m.created_at - make_interval(secs => $2 - n), '', ''
FROM (SELECT * FROM messages LIMIT 1) m, generate_series($1::bigint, $2::bigint - 1) n,
    generate_series(0, $3::int - 1) k
"""
_HISTORY = """
INSERT INTO conversation_history SELECT h.site, '00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'), k + 1,
    h.at - make_interval(secs => $2 - n), h.actor, h.what, 'CLOSED', h.assignee, h.queue, h.profile_version, h.fact,
    h.number
FROM (SELECT * FROM conversation_history LIMIT 1) h, generate_series($1::bigint, $2::bigint - 1) n,
    generate_series(0, $3::int - 1) k
"""


async def fill(url: str, have: int, want: int) -> float:
    """Write stored messages as a superuser until there are `want`; returns the seconds that it took."""
    began = time.perf_counter()
    connection = await asyncpg.connect(url, server_settings={"search_path": "intake", "kefu.sites": "*"})
    await connection.execute("SET synchronous_commit = off")
    await connection.execute("SET session_replication_role = replica")  # they were indexed long ago: no triggers
    try:
        for start in range(have // A_CONVERSATION, want // A_CONVERSATION, BATCH // A_CONVERSATION):
            end = min(start + BATCH // A_CONVERSATION, want // A_CONVERSATION)
            async with connection.transaction():
                await connection.execute(_CONVERSATIONS, start, end)
                await connection.execute(_MESSAGES, start, end, A_CONVERSATION)
                await connection.execute(_HISTORY, start, end, A_CONVERSATION)
            print(f"\r{end * A_CONVERSATION:,} of {want:,} messages stored", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        await connection.execute("VACUUM ANALYZE conversations, messages, conversation_history")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
    return time.perf_counter() - began


def measure(folder: Path, floor_port: int, port: int, about: list[dict[str, str]]) -> tuple[float, float]:
    """Calls a second of echo and service, medians of rounds in turns."""
    floors, appends = [], []
    for _ in range(ROUNDS):
        floors.append(client(folder, Load(floor_port, SECONDS, "append", about)))
        appends.append(client(folder, Load(port, SECONDS, "append", about)))
    return median(floors)["rate"], median(appends)["rate"]


@contextmanager
def replicas(folder: Path, number: int) -> Iterator[list[int]]:
    """Several servers of intake on one database; their ports."""
    with ExitStack() as running:
        yield [running.enter_context(intake.process("intake", str(folder)))[0] for _ in range(number)]


async def run(folder: Path) -> bool:
    """All figures; whether all hold."""
    report = Report("scale")
    async with intake.stack(folder) as given:
        with intake.process("echo") as (floor_port, _), replicas(folder, 1) as (port,):
            with intake.process("work", str(folder)) as _:
                about = await intake.prepare(folder, given["nats"], port)
            store = EmbeddedPostgres(folder / "postgres").dsn(given["database"].rpartition("/")[2])  # may checkpoint
            await fill(store, 0, FEW)
            client(folder, Load(port, SECONDS, "append", about))  # warm
            floor, few = measure(folder, floor_port, port, about)
            report.add(f"AppendMessage with {FEW:,} stored", few, "calls/s", floor=floor)
            seconds = await fill(store, FEW, MANY)
            report.add("stored", MANY, "messages", note=f"in {seconds:.0f} s, with history")
            later, many = measure(folder, floor_port, port, about)
            report.add(f"AppendMessage with {MANY:,} stored", many, "calls/s", floor=later)
            cost = (few / floor) / (many / later)
            report.add("cost of a message, many stored against few", cost, "ratio", at_most=FLAT)
            with replicas(folder, 1) as (other,):
                halves = [about[: len(about) // 2], about[len(about) // 2 :]]
                both = await _together(folder, [(port, halves[0]), (other, halves[1])])
            words = "server, PostgreSQL and client share the cores: more replicas only pay where cores are free"
            report.add("two replicas against one", both / many, "ratio", note=words)
    return report.finish()


async def _together(folder: Path, loads: list[tuple[int, list[dict[str, str]]]]) -> float:
    """Drive several servers at once; the sum of their calls a second."""

    async def one(number: int, port: int, about: list[dict[str, str]]) -> float:
        own = folder / f"client-{number}"
        own.mkdir(exist_ok=True)
        return (await asyncio.to_thread(client, own, Load(port, SECONDS, "append", about)))["rate"]

    return sum(await asyncio.gather(*(one(number, *load) for number, load in enumerate(loads))))


def main() -> int:
    """Entry point."""
    folder = Path(tempfile.mkdtemp(prefix="kefu-bench-"))
    try:
        return 0 if uvloop.run(run(folder)) else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
