"""`kefu up`, `down` and `reset`: the stack as a whole."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from services.stack import control, health, infra, monitoring, ports
from services.stack.home import Home, StackError
from services.stack.processes import processes

WELL_SECONDS = 60.0

Say = Callable[[str], None]


def up(home: Home, say: Say) -> bool:
    """Start what does not run, load the demonstration data, wait until all is well. Returns False if it ran already.

    Raises StackError when a port is taken or a process does not become well; what was started then stays for a look.
    """
    with control.only_one(home):
        running = control.supervisor_of(home) is not None
        if not running:
            _start(home, say)
        _wait(home, say)
        if not running:
            from services.stack.demo import load

            load(home, say)
        return not running


def down(home: Home, say: Say) -> bool:
    """Stop everything; state stays. Returns False when nothing ran."""
    if not home.folder.exists():
        return False
    with control.only_one(home):
        ran = control.stop(home)
        say("services stopped" if ran else "no services were running")
        infra.stop_servers(home)
        say("PostgreSQL and NATS stopped")
        return ran


def reset(home: Home, say: Say) -> None:
    """Stop everything and delete the stack's folder."""
    if home.folder.exists():
        down(home, say)
        shutil.rmtree(home.folder)
    say(f"{home.folder} is gone")


def _start(home: Home, say: Say) -> None:
    if found := ports.taken(home):
        lines = "\n".join(f"  {one}" for one in found)
        raise StackError(
            f"cannot start:\n{lines}\nStop who has them, or choose other ports:"
            f" KEFU_PORT_BASE={_other_base(home)} kefu up"
        )
    _browser_libraries()
    home.folder.mkdir(parents=True, exist_ok=True)
    home.note(port_base=home.port_base, started_at=time.time())
    postgres, nats = infra.start_servers(home)
    say("PostgreSQL and NATS")
    ready = infra.prepare(home, postgres, nats)
    say("schemas and keys")
    plan = processes(home, ready.urls, nats.url)
    control.start(home, [*plan, *monitoring.processes(home, plan)])


def _browser_libraries() -> None:
    from services.gateway.console import vendor

    try:
        vendor.ensure()
    except (OSError, RuntimeError) as error:
        raise StackError(f"the console's browser libraries are missing and could not be installed: {error}") from error


def _wait(home: Home, say: Say) -> None:
    late = health.wait_until_well(lambda: control.children_of(home), seconds=WELL_SECONDS, say=say)
    if late:
        logs = {child["name"]: child["log"] for child in control.children_of(home)}
        told = "\n".join(f"  {one}  (log: {logs.get(one.split(':')[0], home.logs)})" for one in late)
        raise StackError(f"not well after {WELL_SECONDS:g} s:\n{told}\nLook at `kefu logs`, then `kefu doctor`.")


def _other_base(home: Home) -> int:
    """A port base whose ports are all free."""
    for base in range(home.port_base + 100, 65_000, 100):
        if not ports.taken(Home(home.folder, base)):
            return base
    return home.port_base + 100
