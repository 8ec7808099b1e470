from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil

from services.kit.testing.polling import eventually
from services.stack.home import Home
from services.stack.processes import Process
from services.stack.supervisor import supervise

LIVES = "import time\nwhile True: time.sleep(1)"
LEAVES_A_WORKER = (
    "import subprocess, sys, time\n"
    "worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(worker.pid, flush=True)\nwhile True: time.sleep(1)"
)
DRAINS = (
    "import pathlib, signal, sys, time\n"
    "def end(*_):\n    pathlib.Path(sys.argv[1]).write_text('drained'); sys.exit(0)\n"
    "signal.signal(signal.SIGTERM, end)\nprint('ready', flush=True)\nwhile True: time.sleep(1)"
)


def process(name: str, code: str, *arguments: str) -> Process:
    return Process(name, (sys.executable, "-c", code, *arguments), dict(os.environ))


async def test_a_child_that_ends_is_started_again_and_counted(tmp_path: Path) -> None:
    home = Home(tmp_path)
    task = asyncio.create_task(supervise(home, [process("fragile", LIVES)]))
    try:
        await eventually(lambda: _child(home)["pid"])
        first = _child(home)["pid"]
        os.kill(int(str(first)), signal.SIGKILL)
        await eventually(lambda: _child(home)["pid"] not in (0, first))
        assert (_child(home)["restarts"], _child(home)["last_exit"]) == (1, -signal.SIGKILL)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await task


async def test_workers_of_a_killed_child_end_with_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    task = asyncio.create_task(supervise(home, [process("server", LEAVES_A_WORKER)]))
    log = home.logs / "server.log"
    try:
        await eventually(lambda: log.exists() and log.read_text().strip())
        worker = int(log.read_text().split()[0])
        os.kill(int(str(_child(home)["pid"])), signal.SIGKILL)
        await eventually(lambda: not _lives(worker))
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await task


async def test_a_child_that_cannot_start_waits_longer_and_longer(tmp_path: Path) -> None:
    home = Home(tmp_path)
    task = asyncio.create_task(supervise(home, [process("broken", "raise SystemExit(7)")]))
    try:
        await eventually(lambda: int(str(_child(home)["restarts"])) >= 2)
        assert _child(home)["last_exit"] == 7
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await task
    assert not home.state.exists()


async def test_sigterm_lets_children_end_what_they_do(tmp_path: Path) -> None:
    home = Home(tmp_path)
    task = asyncio.create_task(supervise(home, [process("worker", DRAINS, str(tmp_path / "proof"))]))
    await eventually(lambda: "ready" in (home.logs / "worker.log").read_text() if home.logs.exists() else False)
    os.kill(os.getpid(), signal.SIGTERM)
    await task
    assert (tmp_path / "proof").read_text() == "drained"


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _child(home: Home) -> dict[str, object]:
    from services.stack.control import children_of

    return next(iter(children_of(home)), {"pid": 0, "restarts": 0, "last_exit": None})
