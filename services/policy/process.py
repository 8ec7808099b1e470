"""A service's process, whatever it serves: what it stands on before it has commands of its own, and how it runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

import protovalidate
from kefu.common.v1 import clock_service_pb2_grpc
from prometheus_client import CollectorRegistry

from services.kit import figures
from services.kit.access import Access
from services.kit.auth import TokenVerifier
from services.kit.db import Database
from services.kit.health import Check
from services.kit.ids import IdSource
from services.kit.inbox import Consumer, Handler
from services.kit.interceptors.steps import Tools
from services.kit.keys import KeySet
from services.kit.migrate import migrations_of, pending
from services.kit.server import Server, ServerConfig
from services.kit.settle import Settler
from services.kit.telemetry.metrics import Metrics
from services.kit.telemetry.trace import Tracer
from services.kit.timers import ClockServicer, Dispatcher, VirtualTime
from services.policy import metrics as profile_metrics
from services.policy.calls import Calls
from services.policy.metrics import ProfileMetrics
from services.policy.versions import Profiles, Status

Close = Callable[[], Awaitable[None]]
Beside = Callable[[], Coroutine[Any, Any, None]]
Hearing = tuple[str, Sequence[str], Handler]
"""A durable consumer, its subjects, and who handles what it hears."""
_SERVICES: Final = Path(__file__).resolve().parents[1]


class Settings(Protocol):
    """What every service's settings have."""

    @property
    def database(self) -> str:
        """URL of its role."""
        ...

    @property
    def connections(self) -> int:
        """Size of the pool."""
        ...

    @property
    def nats(self) -> str:
        """URL."""
        ...

    @property
    def public_keys(self) -> Path:
        """Who may sign tokens."""
        ...

    @property
    def profiles(self) -> Path:
        """Folder of the site profiles."""
        ...

    @property
    def access(self) -> Path:
        """File of roles and permissions."""
        ...

    @property
    def server(self) -> ServerConfig:
        """How it listens."""
        ...


class Work(Protocol):
    """The background work of a service."""

    @property
    def dispatcher(self) -> Dispatcher:
        """Fires its deadlines."""
        ...

    async def run(self) -> None:
        """Work until cancelled."""
        ...


class Process:
    """One process of a service: it answers, works in the background, or both.

    What it does `beside` runs in either case; `closing` comes at the end, before the database goes.
    """

    def __init__(
        self,
        *,
        database: Database,
        server: Server,
        profiles: Profiles,
        worker: Work,
        settler: Settler,
        beside: Mapping[str, Beside] = MappingProxyType({}),
        closing: Iterable[Close] = (),
    ) -> None:
        self.server = server
        self.database = database
        self._profiles = profiles
        self._worker = worker
        self._settler = settler
        self._beside = beside
        self._closing = tuple(closing)
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, *, work: bool = False) -> None:
        """Open the ports, and begin the background work if asked to."""
        self._tasks.append(asyncio.create_task(self._profiles.watch(), name="profiles"))
        if self.database.virtual is not None:
            await self._stack.enter_async_context(self._settler)
        if work:
            self._tasks.append(asyncio.create_task(self._worker.run(), name="worker"))
        self._tasks += [asyncio.create_task(run(), name=name) for name, run in self._beside.items()]
        await self.server.start()

    async def run_until_signal(self) -> None:
        """Serve until SIGTERM or SIGINT, then stop."""
        await self.server.run_until_signal()
        await self.stop()

    async def stop(self, *, drain_seconds: float | None = None) -> None:
        """End without a failed call."""
        await self.server.stop(drain_seconds=drain_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()
        for close in self._closing:
            await close()
        await self.database.close()


@dataclass(frozen=True, slots=True)
class Ground:
    """What a service stands on: metrics, database, profiles, tools and a server without RPCs yet."""

    nats: str
    metrics: Metrics
    database: Database
    profiles: Profiles
    tools: Tools
    server: Server
    of_profiles: ProfileMetrics

    @classmethod
    async def of(cls, service: str, config: Settings, *, new_id: IdSource | None = None) -> Ground:
        """Build and connect. Raises Unavailable, ProfileRefusedError, KeySetError or AccessError."""
        metrics = _metrics_of(service)
        of_profiles = ProfileMetrics(metrics)
        database = Database(config.database, service, size=config.connections, new_id=new_id)

        def changed(status: Status) -> None:
            of_profiles.changed(status)
            of_profiles.stand(status, database.clock.now())

        profiles = Profiles(config.profiles, on_change=changed)
        await database.open()
        of_profiles.stand(profiles.status, database.clock.now())
        tools = _tools_of(service, config)
        server = Server(
            config.server, service=service, tools=tools, metrics=metrics, checks=_checks_of(service, database)
        )
        return cls(config.nats, metrics, database, profiles, tools, server, of_profiles)

    def consumers(self, listens: Iterable[Hearing], settler: Settler, *, alone: str = "") -> list[Consumer]:
        """Who reads what neighbours tell; the one named `alone` handles one event at a time."""
        return [
            Consumer(
                self.database,
                self.nats,
                name=name,
                subjects=subjects,
                handler=handler,
                afterwards=settler.relay if self.database.virtual else None,
                tracer=self.tools.tracer,
                alone=name == alone,
            )
            for name, subjects, handler in listens
        ]

    def process(
        self,
        worker: Work,
        settler: Settler,
        *,
        beside: Mapping[str, Beside] = MappingProxyType({}),
        closing: Iterable[Close] = (),
    ) -> Process:
        """The process; a stack in virtual time also tells it the time."""
        time = VirtualTime(self.database, worker.dispatcher, settle=settler.settle)
        self.server.add(clock_service_pb2_grpc.add_ClockServiceServicer_to_server, ClockServicer(time))
        return Process(
            database=self.database,
            server=self.server,
            profiles=self.profiles,
            worker=worker,
            settler=settler,
            beside=beside,
            closing=closing,
        )


def _metrics_of(service: str) -> Metrics:
    """The catalogue's metrics that a service exposes."""
    owners = ("rpc", "process", figures.OWNER, profile_metrics.OWNER, service)
    return Metrics.from_catalogue(CollectorRegistry(), owners=owners)


def _tools_of(service: str, config: Settings) -> Tools:
    """What judges every call. Raises KeySetError or AccessError."""
    return Tools(
        verifier=TokenVerifier(KeySet(config.public_keys), Access.read(config.access)),
        tracer=Tracer.from_environment(os.environ, service),
        validator=protovalidate.Validator(),
        callers=Calls.read().callers_of(service) if config.server.tls_client_ca is not None else None,
    )


def _checks_of(service: str, database: Database) -> Mapping[str, Check]:
    """What readiness depends on: the database, and its schema being at least as new as this code."""
    folder = _SERVICES / service / "migrations"

    async def schema() -> None:
        async with database.transaction(read_only=True) as tx:
            if missing := await pending(tx.connection, migrations_of(service, folder)):
                raise RuntimeError(f"migrations are missing: {', '.join(missing)}; run `kefu migrate {service}`")

    return {"database": schema}
