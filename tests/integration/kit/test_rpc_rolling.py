"""Pods are replaced one after the other under new addresses, as a Deployment does: callers find them by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.kit.client import ClientChannel, Target
from services.kit.embedded import free_port
from services.kit.server import ServerConfig
from services.kit.testing.grpc import Running, start
from services.kit.testing.polling import eventually
from tests.integration.kit.names import named

PODS = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
CALLERS = 4
ANSWERED = "kefu_rpc_server_duration_seconds_count"
LABELS = {"method": "kefu.test.v1.EchoService/Hello", "code": "OK"}


class Pods:
    """Servers of one port at addresses of their own."""

    def __init__(self, contract: Any, folder: Path) -> None:
        self._contract = contract
        self._folder = folder
        self.port = free_port()
        self._running: dict[str, Running] = {}

    async def add(self, address: str) -> None:
        """Start one."""
        registered = self._contract.registered()
        config = ServerConfig(listen=f"{address}:{self.port}", metrics_listen="127.0.0.1:0", grace_seconds=5.0)
        self._running[address] = await start(registered, keys_folder=self._folder / address, config=config)

    async def remove(self, address: str) -> None:
        """Stop one in order."""
        await self._running.pop(address).server.stop(drain_seconds=0.5)

    async def called(self, address: str) -> None:
        """Wait until it has answered another call."""
        registry = self._running[address].registry
        before = registry.get_sample_value(ANSWERED, LABELS) or 0
        await eventually(lambda: (registry.get_sample_value(ANSWERED, LABELS) or 0) > before, 60)

    async def close(self) -> None:
        """Stop all."""
        for address in list(self._running):
            await self.remove(address)


@pytest.fixture
async def pods(contract: Any, tmp_path: Path) -> AsyncIterator[Pods]:
    found = Pods(contract, tmp_path)
    yield found
    await found.close()


async def test_pods_under_new_addresses_are_found_by_name_and_no_call_fails(pods: Pods, contract: Any) -> None:
    stop = asyncio.Event()

    async def call(stub: Any) -> int:
        answered = 0
        while not stop.is_set():
            await stub.Hello(contract.pb.HelloRequest(), timeout=30)
            answered += 1
        return answered

    for address in PODS[:2]:
        await pods.add(address)
    async with named(*PODS[:2]) as (names, port):
        target = Target(f"dns://127.0.0.1:{port}/kefu-echo.test:{pods.port}", ["kefu.test.v1.EchoService"])
        async with ClientChannel(target, token=lambda: None) as channel:
            stub = contract.rpc.EchoServiceStub(channel)
            callers = [asyncio.create_task(call(stub)) for _ in range(CALLERS)]
            for address in PODS[:2]:
                await pods.called(address)  # round_robin: both
            for new, old in ((PODS[2], PODS[0]), (PODS[3], PODS[1])):
                await pods.add(new)
                names.addresses.append(new)  # ready, and so named
                names.addresses.remove(old)  # told to stop
                await pods.remove(old)
                await pods.called(new)
            stop.set()
            assert sum(await asyncio.gather(*callers)) > 0
    assert names.asked >= 2
