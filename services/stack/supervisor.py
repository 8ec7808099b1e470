"""The supervisor: a small process that keeps the stack's children alive and stops them gracefully, by pid.

    python -m services.stack.supervisor <folder> < plan.json

It is started detached by `kefu up`, reads its children from standard input, and ends on SIGTERM after they ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from services.stack.home import Home, write_whole
from services.stack.processes import Process

BACKOFF_SECONDS = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
# A child that ran this long starts again without having to wait for its earlier faults.
STEADY_SECONDS = 60.0
STOP_SECONDS = 15.0
LOG_BYTES = 20_000_000


class Child:
    """One process, started again whenever it ends by itself."""

    def __init__(self, process: Process, logs: Path) -> None:
        self.process = process
        self.pid = 0
        self.restarts = 0
        self.last_exit: int | None = None
        self.started_at = 0.0
        self._log = logs / f"{process.name.replace(' ', '-')}.log"
        self._running: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, stop: asyncio.Event, changed: asyncio.Event) -> None:
        """Begin to keep the child alive."""
        self._task = asyncio.create_task(self._keep(stop, changed))

    async def stop(self) -> None:
        """SIGTERM, time to drain, and SIGKILL for what is still there."""
        child = self._running
        if child is not None and child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await child.wait()
            except TimeoutError:
                _end_group(child.pid)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def describe(self) -> dict[str, object]:
        """For state.json."""
        return {
            "name": self.process.name,
            "pid": self.pid,
            "restarts": self.restarts,
            "last_exit": self.last_exit,
            "started_at": self.started_at,
            "log": str(self._log),
            "grpc": self.process.grpc,
            "http": self.process.http,
            "metrics": self.process.metrics,
        }

    async def _keep(self, stop: asyncio.Event, changed: asyncio.Event) -> None:
        faults = 0
        while not stop.is_set():
            self._roll_log()
            with self._log.open("a") as output:
                child = self._running = await asyncio.create_subprocess_exec(
                    *self.process.command,
                    env=dict(self.process.environment),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            self.pid, self.started_at = child.pid, time.time()
            changed.set()
            began = time.monotonic()
            self.last_exit = await child.wait()
            _end_group(child.pid)
            self.pid = 0
            changed.set()
            if stop.is_set():
                return
            faults = 0 if time.monotonic() - began > STEADY_SECONDS else faults + 1
            self.restarts += 1
            await asyncio.sleep(BACKOFF_SECONDS[min(faults, len(BACKOFF_SECONDS) - 1)])

    def _roll_log(self) -> None:
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))


def _end_group(leader: int) -> None:
    """End what a child has left behind: a web server that was killed leaves its workers, who keep the port."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


async def supervise(home: Home, plan: list[Process]) -> None:
    """Keep the children until SIGTERM or SIGINT."""
    home.logs.mkdir(parents=True, exist_ok=True)
    stop, changed = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    children = [Child(process, home.logs) for process in plan]
    for child in children:
        child.start(stop, changed)
    writer = asyncio.create_task(_keep_state(home, children, changed))
    await stop.wait()
    # the newest first: whoever drives traffic ends before those who serve it
    for child in reversed(children):
        await child.stop()
    writer.cancel()
    home.state.unlink(missing_ok=True)


async def _keep_state(home: Home, children: list[Child], changed: asyncio.Event) -> None:
    while True:
        changed.clear()
        write_whole(home.state, json.dumps([child.describe() for child in children], indent=1))
        await changed.wait()


def main() -> None:
    """Run as `python -m services.stack.supervisor FOLDER`."""
    home = Home(Path(sys.argv[1]))
    plan = [Process(**{**one, "command": tuple(one["command"])}) for one in json.load(sys.stdin)]
    write_whole(home.pid_file, str(os.getpid()))
    try:
        asyncio.run(supervise(home, plan))
    finally:
        home.pid_file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
