"""What was recorded, judged anew: the same outcomes under the same profile, others under another one."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner
from kefu.intake.v1 import conversation_pb2 as pb

from services.intake import dry_run
from services.intake.queries import recorded
from services.intake.queries.recorded import Judge
from services.kit.errors import FailedPrecondition
from services.policy import loader
from tests.integration.intake.desk import PROFILES, SITE, START, Desk


def url_of(desk: Desk) -> str:
    return desk.app.database.pool.dsn


async def lively_hour(desk: Desk, seed: int) -> None:
    """Customers ask, are answered early, late or never, are handed over, and leave."""
    chance = random.Random(seed)
    people = [await desk.staff(f"p-{n}", "GENERAL", "SPECIALIST", capacity=4) for n in range(3)]
    by_name = {person.person: person for person in people}
    conversations: list[tuple[str, str]] = []
    for number in range(120):
        await desk.advance(chance.choice([1, 3, 8, 20]))
        if number % 6 == 0:
            customer = f"c-{number}"
            conversations.append((customer, (await desk.customer(customer).open()).name))
            continue
        customer, name = chance.choice(conversations)
        now = await people[0].get(name)
        holder = by_name.get(now.assignee)
        try:
            match chance.randrange(6):
                case 0 | 1:
                    await desk.customer(customer).say(name, "and?")
                case 2 | 3 if holder:
                    if now.state == pb.Conversation.STATE_ASSIGNED:
                        await holder.serve(name)
                    await holder.say(name, "here you are")
                case 4 if holder:
                    await holder.transfer(name, queue="SPECIALIST")
                case 5 if holder is None:
                    await desk.customer(customer).leave(name)
        except FailedPrecondition:
            continue  # a step that the life cycle does not allow now
    await desk.advance(7)


async def test_a_replay_of_what_was_recorded_gives_the_stored_outcomes(desk: Desk) -> None:
    """Timers, group commits and forgotten clocks on the way there change nothing."""
    await lively_hour(desk, seed=7)
    profile = loader.load(PROFILES / f"{SITE}.yaml").profile
    async with desk.app.database.transaction(sites=[SITE], read_only=True) as tx:
        found = await recorded.histories(tx, SITE, START, START + timedelta(days=1))
        rows = await tx.fetch("SELECT conversation, kind, number, outcome, due_at FROM clock_outcomes")
    judge = Judge()
    replayed = {(j.conversation, j.clock, j.number, j.outcome, j.due_at) for one in found for j in judge(one, profile)}
    stored = {tuple(row) for row in rows}
    assert len(stored) > 15
    assert {outcome for _, _, _, outcome, _ in stored} == {"MET", "BREACHED", "CANCELLED"}
    assert replayed == stored


async def test_a_dry_run_tells_what_a_longer_promise_would_have_changed(desk: Desk, tmp_path: Path) -> None:
    ann = await desk.staff("ann")
    late = await desk.customer("c-1").open()
    await desk.settle()
    await ann.serve(late.name)
    await desk.advance(40)
    await ann.say(late.name, "hello")
    trial = tmp_path / "trial.yaml"
    trial.write_text(
        (PROFILES / f"{SITE}.yaml")
        .read_text()
        .replace("    default: 30\n", '    default: {value: 45, origin: site, reason: "A trial of a longer promise"}\n')
    )
    arguments = [SITE, str(trial), "--from", "2026-11-20", "--to", "2026-11-20", "--profiles", str(PROFILES)]
    without = await asyncio.to_thread(CliRunner().invoke, dry_run.command(), arguments, env={dry_run.DATABASE: ""})
    assert (without.exit_code, dry_run.DATABASE in without.output) == (2, True)
    told = await asyncio.to_thread(
        CliRunner().invoke, dry_run.command(), arguments, env={dry_run.DATABASE: url_of(desk)}
    )
    assert told.exit_code == 0, told.output
    name = late.name.rpartition("/")[2]
    assert f"{name} FIRST_RESPONSE #1: BREACHED → MET" in told.output
    assert "1 conversations, 1 promises would have ended differently." in told.output
