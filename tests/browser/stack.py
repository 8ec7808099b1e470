"""A real stack of its own for the browser: PostgreSQL, NATS, every service, the gateway; no simulated traffic."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.stack import control, demo, health, infra, ports, processes
from services.stack.home import Home

PROMISE_SECONDS = 15
WELL_SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class Stack:
    """A running stack: where its console is, and the passwords of its demonstration accounts."""

    home: Home
    url: str

    def password(self, user_name: str) -> str:
        """The password of a demonstration account."""
        return demo.password(self.home, user_name)

    def kill(self, process: str) -> None:
        """Ends one of the stack's processes as a crash would."""
        pid = next(child["pid"] for child in control.children_of(self.home) if child["name"] == process)
        os.kill(pid, signal.SIGKILL)


@contextmanager
def running(folder: Path, *, promise_seconds: int | None = None) -> Iterator[Stack]:
    """Starts a stack in `folder` and ends it afterwards; its online desk may promise something shorter."""
    home = Home(folder / "stack", _port_base())
    home.folder.mkdir(parents=True)
    home.note(port_base=home.port_base)
    profiles = _short_promises(folder / "profiles", promise_seconds) if promise_seconds else processes.PROFILES
    try:
        # In a process of its own, as `kefu up` does: what it starts outlives it, and the browser's driver already runs
        # an event loop in this one.
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(home.folder), str(home.port_base), str(profiles)],
            cwd=processes.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-6000:])
        yield Stack(home, processes.console_url(home))
    finally:
        control.stop(home)
        infra.stop_servers(home, immediate=True)


def _start(home: Home, profiles: Path) -> None:
    postgres, nats = infra.start_servers(home, durable=False)
    ready = infra.prepare(home, postgres, nats)
    plan = [
        dataclasses.replace(one, environment={**one.environment, "KEFU_PROFILES": str(profiles)})
        for one in processes.processes(home, ready.urls, nats.url)
        if one.name != processes.SIMULATOR
    ]
    control.start(home, plan)
    late = health.wait_until_well(lambda: control.children_of(home), seconds=WELL_SECONDS, say=lambda _: None)
    if late:
        logs = "\n".join(f"== {path.name}\n{control.tail(path, 30)}" for path in home.logs.glob("*.log"))
        raise RuntimeError(f"not well: {late}\n{logs}")
    demo.load(home, lambda _: None)


def _short_promises(folder: Path, seconds: int) -> Path:
    """The demonstration profiles, with a first response that a test can wait for."""
    shutil.copytree(processes.PROFILES, folder)
    file = folder / "online-desk.yaml"
    short = f'default: {{value: {seconds}, origin: site, reason: "A test cannot wait longer"}}'
    text, count = re.subn(r"default: 30\b", short, file.read_text(encoding="utf-8"), count=1)
    assert count == 1, "the online desk promises its first response otherwise than this test expects"
    file.write_text(text, encoding="utf-8")
    return folder


def _port_base() -> int:
    """A base above which every port of the stack is free.

    Below the ports that the system hands out by itself: who asks there whether a server is up may meet their own call.
    """
    first = 10_000 + os.getpid() % 200 * 100
    return next(base for base in range(first, 32_000, 100) if not ports.taken(Home(Path(), base)))


if __name__ == "__main__":
    _start(Home(Path(sys.argv[1]), int(sys.argv[2])), Path(sys.argv[3]))
