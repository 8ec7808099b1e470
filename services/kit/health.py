"""Health by name (grpc.health.v1).

"liveness" says only that the process answers; "readiness", "" and each service say that the checks pass: database
reachable, schema version right, and whatever else the service hands in. "accepting" is SERVING until the process
begins to stop, whatever its checks say: our clients watch it (client/target.py), so that no call is on its way to a
server that closes. gRPC alone cannot promise that: a call that it has read but not handed over when the server stops
ends as CANCELLED (grpc#41785).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

from services.kit.telemetry.metrics import Metrics

Check = Callable[[], Awaitable[None]]
"""Returns when all is well and raises, with the reason, when it is not."""

LIVENESS: Final = "liveness"
READINESS: Final = "readiness"
ACCEPTING: Final = "accepting"
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
_log: Final = logging.getLogger("kefu.health")


class Health:
    """Runs the checks every `interval` seconds, each for at most `timeout` seconds, and publishes what they say."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        metrics: Metrics,
        *,
        services: Sequence[str],
        interval: float = 2.0,
        timeout: float = 2.0,
    ) -> None:
        self.servicer = HealthServicer()
        self.faults: dict[str, str] = {}
        self._checks = checks
        self._gauge = metrics.gauge("kefu_health_ready")
        self._names = ("", READINESS, *services)
        self._interval = interval
        self._timeout = timeout
        self._draining = False
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether every check passed the last time and the server is not stopping."""
        return not self.faults and not self._draining

    async def start(self) -> None:
        """Publish a first answer, then keep checking."""
        await self.servicer.set(LIVENESS, _SERVING)
        await self.servicer.set(ACCEPTING, _SERVING)
        await self.check()
        self._task = asyncio.create_task(self._keep_checking(), name="health")

    async def drain(self) -> None:
        """Say NOT_SERVING from now on, so that nobody new is sent here; liveness stays."""
        self._draining = True
        await self.servicer.set(ACCEPTING, _NOT_SERVING)
        await self._publish()

    async def stop(self) -> None:
        """Stop checking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def check(self) -> None:
        """Run every check once and publish the outcome."""
        outcomes = await asyncio.gather(*(self._run(check) for check in self._checks.values()))
        faults = {name: fault for name, fault in zip(self._checks, outcomes, strict=True) if fault is not None}
        for name in self._checks:
            self._gauge[name].set(name not in faults)
            if faults.get(name) != self.faults.get(name):
                _log.warning("readiness changed", extra={"check": name, "fault": faults.get(name, "")})
        self.faults = faults
        await self._publish()

    async def _run(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(self._timeout):
                await check()
        except TimeoutError:
            return f"no answer within {self._timeout:g} s"
        except Exception as fault:  # a check fails in as many ways as there are drivers
            return f"{type(fault).__name__}: {fault}"
        return None

    async def _publish(self) -> None:
        status = _SERVING if self.ready else _NOT_SERVING
        for name in self._names:
            await self.servicer.set(name, status)

    async def _keep_checking(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self.check()
