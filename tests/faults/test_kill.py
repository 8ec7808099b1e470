"""Intake is killed again and again under load: nothing acknowledged is lost or doubled, no deadline is missed."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest

from tests.faults import reading
from tests.faults.checker import Record, check_assignments, check_histories, check_messages, check_order
from tests.faults.people import Agent, Writer, at_work
from tests.faults.rig import ROLES, Rig, running, until, wanted_kills
from tests.observability.stack import PROMISE_SECONDS

WRITERS = 6
AGENTS = ("ann", "bob")
HEARD_BETWEEN = 60  # messages acknowledged between two kills
BOUND_SECONDS = 60 + 30 * wanted_kills()


async def newcomers(rig: Rig, stop: asyncio.Event) -> None:
    """Customers who come, ask and wait for a colleague."""
    for number in itertools.count(1):
        if stop.is_set():
            return
        writer = Writer(rig, f"new-{number}", Record(), queue="GENERAL")
        await writer.open()
        await writer.say()
        await writer.close()
        await asyncio.sleep(0.1)  # ten a second at most, or they would be all that there is


@pytest.mark.slow
@pytest.mark.timeout(BOUND_SECONDS)
async def test_intake_killed_under_load_loses_and_doubles_nothing(scratch: Path, tmp_path: Path) -> None:
    async with running(scratch / tmp_path.name) as rig:
        record, stop = Record(), asyncio.Event()
        writers = [Writer(rig, f"w{number}", record, queue="SPECIALIST") for number in range(WRITERS)]
        agents = [Agent(rig, name) for name in AGENTS]
        await at_work(rig, AGENTS)
        tasks = [asyncio.create_task(one.go_on(stop)) for one in writers]
        tasks += [asyncio.create_task(one.go_on(stop)) for one in agents]
        tasks.append(asyncio.create_task(newcomers(rig, stop)))
        for role in itertools.islice(itertools.cycle(ROLES), wanted_kills()):
            await heard(record, tasks, HEARD_BETWEEN)
            await rig.kill(role)
            await rig.start(role)
        await heard(record, tasks, HEARD_BETWEEN)  # it is back by itself
        stop.set()
        await asyncio.gather(*tasks)
        await finish(rig, record, writers)
        assert sum(rig.kills.values()) == wanted_kills()
        assert sum(agent.served for agent in agents) > 0
        for client in (*writers, *agents):
            await client.close()


async def heard(record: Record, tasks: list[asyncio.Task[None]], more: int) -> None:
    """Wait until that many more messages are acknowledged."""
    goal = len(record.acknowledged) + more

    async def enough() -> bool:
        for task in tasks:
            if task.done():
                task.result()
        return len(record.acknowledged) >= goal

    await until(enough, f"{more} more messages to be acknowledged")


async def finish(rig: Rig, record: Record, writers: list[Writer]) -> None:
    """Let everything become quiet, repeat old calls, and check all that was recorded."""
    for writer in writers:
        await writer.again(writer.sent[-5:])
    connection = await reading.connect(rig)
    try:
        await until(lambda: reading.quiet(connection), "everything due to be done")
        found = [message for writer in writers for message in await reading.said(writer)]
        faults = [
            *check_messages(record, found),
            *check_order(record, {writer.conversation: writer.sent for writer in writers}, found),
            *check_histories(await reading.kept(connection, promise_s=PROMISE_SECONDS)),
            *check_assignments(await reading.holding(connection)),
        ]
        assert faults == []
    finally:
        await connection.close()
