"""Two replicas of every service: gRPC behind client-side round_robin, gateways behind a small balancer."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from services.kit.auth import TokenSigner
from services.kit.embedded.ports import LOOPBACK
from services.stack import control, health, infra, processes
from services.stack.home import SERVICES, Home
from tests.faults.rig import BOUND_SECONDS, until
from tests.observability.stack import free_base, short_promises

GRPC = tuple(service for service in SERVICES if service != "gateway")
COPIES = (0, 1)
DRAIN_SECONDS = "1"  # callers hear of it at once; the chart gives them five
_NEXT = 50  # the second replicas' ports, above those of the stack's own


@dataclass
class Replica:
    """One process of a service: how it is started, where it answers."""

    service: str
    address: str
    environment: Mapping[str, str]
    arguments: tuple[str, ...]
    log: Path
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        await self._spawn()
        where = {"grpc_address": self.address} if self.service in GRPC else {"url": f"http://{self.address}/readyz"}

        async def ready() -> bool:
            assert self.process is not None
            if self.process.returncode is not None:
                await self._spawn()  # as a kubelet does: PostgreSQL may not answer in time while a machine is busy
            return (await asyncio.to_thread(lambda: health.ask(**where))).well

        try:
            await until(ready, f"{self.service} at {self.address} to be ready")
        except AssertionError as late:
            raise AssertionError(f"{late}; its log ends:\n{control.tail(self.log)}") from None

    async def _spawn(self) -> None:
        with self.log.open("a") as output:
            self.process = await asyncio.create_subprocess_exec(
                *processes.kefu_command("serve", self.service, *self.arguments),
                env=dict(self.environment),
                stdout=output,
                stderr=output,
            )

    def called_by_all(self) -> bool:
        """Whether every gateway has a connection to it."""
        assert self.process is not None
        port = int(self.address.rpartition(":")[2])
        found = psutil.Process(self.process.pid).net_connections("tcp")
        return len([one for one in found if one.status == "ESTABLISHED" and one.laddr.port == port]) >= len(COPIES)

    async def end(self) -> int:
        """SIGTERM, as Kubernetes ends a pod; returns the exit code."""
        assert self.process is not None
        assert self.process.returncode is None, f"{self.service} ended by itself:\n{control.tail(self.log)}"
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(BOUND_SECONDS):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            raise AssertionError(f"{self.service} at {self.address} does not end:\n{control.tail(self.log)}") from None


@dataclass
class Replicas:
    """Every replica, and who signs tokens for them."""

    all: list[Replica]
    signer: TokenSigner
    out: set[str] = field(default_factory=set)
    busy: Counter[str] = field(default_factory=Counter)
    _turn: itertools.count[int] = field(default_factory=itertools.count)

    @contextmanager
    def gateway(self) -> Iterator[str]:
        """The next gateway in rotation for one request, as a load balancer chooses."""
        inside = [one.address for one in self.all if one.service == "gateway" and one.address not in self.out]
        address = inside[next(self._turn) % len(inside)]
        self.busy[address] += 1
        try:
            yield address
        finally:
            self.busy[address] -= 1

    def metrics(self, service: str) -> list[str]:
        """host:port of each replica's metrics."""
        return [one.environment["KEFU_METRICS_LISTEN"] for one in self.all if one.service == service]

    async def restart(self, replica: Replica) -> int:
        """Out of rotation, SIGTERM, start, ready, back in: what a rolling update does. Returns the exit code.

        A gateway leaves the rotation and answers what it has before SIGTERM, as the chart's preStop pause arranges in
        a cluster. Services of gRPC are ended with calls on their way: their clients watch health by themselves.
        """
        self.out.add(replica.address)

        async def idle() -> bool:
            return self.busy[replica.address] == 0

        await until(idle, f"{replica.address} to have answered")
        code = await replica.end()
        await replica.start()
        if replica.service in GRPC:
            # as the chart's minReadySeconds: callers wait up to RECONNECT_SECONDS between two tries to connect
            await until(lambda: asyncio.to_thread(replica.called_by_all), f"callers of {replica.address} to be back")
        self.out.discard(replica.address)
        return code

    def client(self) -> httpx.AsyncClient:
        """HTTP without any retries of its own."""
        return httpx.AsyncClient(timeout=20.0, trust_env=False, transport=httpx.AsyncHTTPTransport(retries=0))


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Replicas]:
    """Start two replicas of every service on PostgreSQL and NATS of their own."""
    home = Home(folder, free_base())
    home.logs.mkdir(parents=True)
    plan: list[Replica] = []
    try:
        postgres, nats = await asyncio.to_thread(infra.start_servers, home, durable=False)
        ready = await asyncio.to_thread(lambda: infra.prepare(home, postgres, nats, services=SERVICES))
        common = {"KEFU_PROFILES": str(short_promises(folder / "profiles")), "KEFU_LOG_LEVEL": "WARNING"}
        common["KEFU_DRAIN_SECONDS"] = DRAIN_SECONDS
        addresses = {service: [_address(home, service, copy) for copy in COPIES] for service in GRPC}
        targets = {"KEFU_TARGETS": ",".join(f"{name}=ipv4:{','.join(them)}" for name, them in addresses.items())}
        shipped = {one.name: one.environment for one in processes.processes(home, ready.urls, nats.url)}
        for service, copy in itertools.product(SERVICES, COPIES):
            what = "console" if service == "gateway" else service
            address = _address(home, what, copy)
            environment = {**shipped[service], **common, **targets}
            environment["KEFU_METRICS_LISTEN"] = _address(home, f"{service} metrics", copy)
            environment["KEFU_GATEWAY_LISTEN" if service == "gateway" else "KEFU_LISTEN"] = address
            arguments = () if service == "gateway" else ("--with-worker",)
            log = home.logs / f"{service}-{copy}.log"
            plan.append(Replica(service, address, environment, arguments, log))
        await asyncio.gather(*(one.start() for one in plan))
        private = max(home.keys.glob("*.key"))
        yield Replicas(plan, TokenSigner.from_pem(private.stem, private.read_bytes()))
    finally:
        for one in plan:
            if one.process is not None and one.process.returncode is None:
                await one.end()
        await asyncio.to_thread(infra.stop_servers, home, immediate=True)


def _address(home: Home, what: str, copy: int) -> str:
    return f"{LOOPBACK}:{home.port(what) + copy * _NEXT}"
