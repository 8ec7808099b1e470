"""Intake as two processes, one that answers and one that works in the background; a test may kill either."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.kit.auth import TokenSigner
from services.stack import health, infra, processes
from services.stack.home import Home
from tests.observability.stack import free_base, short_promises

BOUND_SECONDS = 120.0
ROLES = ("serve", "work")


@dataclass
class Rig:
    """Two processes of intake on PostgreSQL and NATS of their own; `kills` counts by role."""

    home: Home
    url: str
    nats_url: str
    signer: TokenSigner
    environment: dict[str, str]
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 0))

    @property
    def address(self) -> str:
        """Where intake answers."""
        return self.home.address("intake")

    async def start(self, role: str) -> None:
        """Start one of the processes, as the supervisor does when it has ended."""
        listens = "intake" if role == "serve" else "staffing"  # any free ports of the stack do for the worker
        own = {
            "KEFU_LISTEN": self.home.address(listens),
            "KEFU_METRICS_LISTEN": self.home.address(f"{listens} metrics"),
        }
        with (self.home.logs / f"{role}.log").open("a") as output:
            self.running[role] = await asyncio.create_subprocess_exec(
                *processes.kefu_command(role, "intake"), env=self.environment | own, stdout=output, stderr=output
            )

    async def kill(self, role: str) -> None:
        """SIGKILL: no word of farewell."""
        process = self.running.pop(role)
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL, f"{role} had ended by itself; see {self.home.logs}"
        self.kills[role] += 1

    async def well(self) -> None:
        """Wait until the one that answers is ready."""
        await until(lambda: asyncio.to_thread(lambda: health.ask(grpc_address=self.address).well), "intake to be ready")

    async def stop(self) -> None:
        """End both."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            await process.wait()


async def until(condition: Callable[[], Awaitable[object]], what: str) -> None:
    """Poll a condition, for a bounded time."""
    give_up = time.monotonic() + BOUND_SECONDS
    while not await condition():
        assert time.monotonic() < give_up, f"waited {BOUND_SECONDS:.0f} s in vain for {what}"
        await asyncio.sleep(0.05)  # a poll, not a wait for time to pass


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Rig]:
    """Start both processes."""
    home = Home(folder, free_base())
    home.logs.mkdir(parents=True)
    try:
        postgres, nats = await asyncio.to_thread(infra.start_servers, home, durable=False)
        ready = await asyncio.to_thread(lambda: infra.prepare(home, postgres, nats, services=("intake",)))
        settings = processes.service_environment(home, "intake", ready.urls, nats.url)
        settings |= {"KEFU_PROFILES": str(short_promises(folder / "profiles")), "KEFU_LOG_LEVEL": "WARNING"}
        private = max(home.keys.glob("*.key"))
        signer = TokenSigner.from_pem(private.stem, private.read_bytes())
        rig = Rig(home, ready.urls["intake"], nats.url, signer, processes.base_environment(home) | settings)
        for role in ROLES:
            await rig.start(role)
        try:
            await rig.well()
            yield rig
        finally:
            await rig.stop()
    finally:
        await asyncio.to_thread(infra.stop_servers, home, immediate=True)


def wanted_kills() -> int:
    """How often to kill: 10 in CI, KEFU_KILLS for a longer run."""
    return int(os.environ.get("KEFU_KILLS", "10"))
