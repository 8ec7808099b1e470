"""What the tests of the clauses do again and again, through the contract only."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from kefu.intake.v1 import conversation_pb2 as pb

from services.policy.cli import profile
from tests.integration.intake.desk import PROFILES, Client, Customer, Desk, Person

# The demonstration sites: (site, a channel, a queue, the skills that it asks for).
SITES = {
    "online-desk": ("WEB", "GENERAL", ("GENERAL",)),
    "taobao-shop": ("TAOBAO", "PRESALES", ("PRESALES",)),
    "live-room": ("LIVE", "ROOM", ("ROOM",)),
    "mall-centre": ("WEB", "ONLINE", ("GENERAL",)),
}


def state(conversation: pb.Conversation) -> str:
    """Short name of the state."""
    return pb.Conversation.State.Name(conversation.state).removeprefix("STATE_")


def clock_state(clock: pb.Clock) -> str:
    """Short name of a promise's state."""
    return pb.Clock.State.Name(clock.state).removeprefix("STATE_")


async def promise(client: Client, name: str, kind: str) -> pb.Clock:
    """The latest promise of a kind, such as FIRST_RESPONSE."""
    number = pb.Clock.Kind.Value(f"KIND_{kind}")
    found = [clock for clock in (await client.get(name)).clocks if clock.kind == number]
    assert found, f"no promise {kind} runs"
    return max(found, key=lambda clock: clock.number)


async def told(desk: Desk, name: str) -> dict[str, datetime]:
    """What the history tells → when it last happened."""
    return {entry.what: entry.time.ToDatetime(UTC) for entry in await desk.history(name)}


async def taken(desk: Desk, person: Person, customer: Customer, **given: Any) -> str:
    """A conversation that was opened and that `person` accepted; its name."""
    opened = await customer.open(**given)
    await desk.settle()
    await person.accept(opened.name)
    return opened.name


async def served(desk: Desk, person: Person, customer: Customer, **given: Any) -> str:
    """As `taken`, with need and source on record."""
    opened = await customer.open(**given)
    await desk.settle()
    await person.serve(opened.name)
    return opened.name


def kefu_profile(*arguments: str) -> Result:
    """Run `kefu profile …` on the demonstration sites."""
    return CliRunner().invoke(profile, arguments, env={"KEFU_PROFILES": str(PROFILES)})


def shown_values(site: str) -> dict[str, dict[str, Any]]:
    """What `kefu profile show` says of a site: path → value, unit, origin, clauses, reason."""
    result = kefu_profile("show", site, "--json")
    assert result.exit_code == 0, result.output
    return {line["path"]: line for line in json.loads(result.output)["values"]}


def edited_profile(folder: Path, site: str, *edits: tuple[str, str]) -> str:
    """A copy of a site's profile with edits; its path."""
    text = (PROFILES / f"{site}.yaml").read_text("utf-8")
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / f"{site}-new.yaml"
    path.write_text(text, "utf-8")
    return str(path)
