"""Starting and stopping the supervisor, and reading what it says."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from services.stack.home import Home, StackError
from services.stack.processes import Process, python_path

START_SECONDS = 10.0
STOP_SECONDS = 40.0
POLL_SECONDS = 0.05


def supervisor_of(home: Home) -> psutil.Process | None:
    """The running supervisor of this stack; None when there is none."""
    try:
        process = psutil.Process(int(home.pid_file.read_text()))
        ours = str(home.folder) in process.cmdline()  # a pid may have been given to a stranger since
        return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, ValueError, psutil.Error):
        return None


def children_of(home: Home) -> list[dict[str, Any]]:
    """What the supervisor last wrote about its children; empty when it does not run."""
    try:
        found: list[dict[str, Any]] = json.loads(home.state.read_text())
    except (FileNotFoundError, ValueError):
        return []
    return found


def start(home: Home, plan: Sequence[Process]) -> None:
    """Start the supervisor, detached from this terminal, and wait until it has started its children."""
    home.logs.mkdir(parents=True, exist_ok=True)
    home.state.unlink(missing_ok=True)
    with (home.logs / "supervisor.log").open("a") as output:
        child = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "services.stack.supervisor", str(home.folder)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=home.folder,
            env={**os.environ, "PYTHONPATH": python_path()},
            start_new_session=True,
        )
    assert child.stdin is not None
    with child.stdin as pipe:
        pipe.write(json.dumps([dataclasses.asdict(one) for one in plan], default=str).encode())
    limit = time.monotonic() + START_SECONDS
    while not children_of(home):
        if child.poll() is not None or time.monotonic() > limit:
            raise StackError(f"the supervisor did not start; its log says:\n{tail(home.logs / 'supervisor.log')}")
        time.sleep(POLL_SECONDS)


def stop(home: Home) -> bool:
    """End the supervisor and with it the children; returns whether one was running."""
    process = supervisor_of(home)
    if process is None:
        return False
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except psutil.TimeoutExpired as late:
        raise StackError(f"the supervisor (pid {process.pid}) did not end within {STOP_SECONDS:g} s") from late
    return True


@contextlib.contextmanager
def only_one(home: Home) -> Iterator[None]:
    """Hold the stack for one command at a time. Raises StackError when another one holds it."""
    home.folder.mkdir(parents=True, exist_ok=True)
    with (home.folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as held:
            raise StackError("another `kefu up`, `down` or `reset` is at work on this stack; wait for it") from held
        yield


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"
