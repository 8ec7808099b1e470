"""The server around the chain: what it refuses to start with, health by name, metrics port, and its end under load."""

# ruff: noqa: N802, ARG002 - the names are those of the generated interface

from __future__ import annotations

import asyncio
import os
import signal
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from kefu.common.v1 import errors_pb2

from services.kit.client import ClientChannel, Target
from services.kit.errors import KefuError, Unavailable
from services.kit.server import ContractError, ServerConfig
from services.kit.testing.grpc import serve, start
from services.kit.testing.polling import eventually
from services.kit.testing.tls import self_signed

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def fetch(port: int, path: str, accept: str = "text/plain") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("service", "method", "word"), [("Closed", "Nobody", "permission"), ("OpenEnded", "Once", "idempotency_level")]
)
async def test_refuses_to_start_with_an_open_contract(
    contract: Any, tmp_path: Path, service: str, method: str, word: str
) -> None:
    base = getattr(contract.rpc, f"{service}ServiceServicer")

    async def answer(self: Any, request: Any, context: Any) -> Any:
        return contract.pb.SayResponse()

    servicer = type("Servicer", (base,), {method: answer})()
    registered = [(getattr(contract.rpc, f"add_{service}ServiceServicer_to_server"), servicer)]
    with pytest.raises(ContractError, match=f"kefu.test.v1.{service}Service/{method}.*{word}"):
        await start(registered, keys_folder=tmp_path)


async def test_method_that_is_not_for_asyncio_is_refused(contract: Any, tmp_path: Path) -> None:
    class Blocking(contract.rpc.EchoServiceServicer):  # type: ignore[misc]
        def Say(self, request: Any, context: Any) -> Any:
            return contract.pb.SayResponse()

    registered = [(contract.rpc.add_EchoServiceServicer_to_server, Blocking())]
    with pytest.raises(TypeError, match="EchoService/Say must be a coroutine function"):
        await start(registered, keys_folder=tmp_path)


async def test_probes_ask_a_port_of_their_own_where_the_other_speaks_tls(contract: Any, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    config = ServerConfig(
        tls_certificate=certificate,
        tls_key=key,
        tls_client_ca=certificate,
        health_listen="127.0.0.1:0",
        grace_seconds=1.0,
    )
    running = await start(contract.registered(), keys_folder=tmp_path / "keys", config=config)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{running.server.health_port}") as kubelet:
        health = health_pb2_grpc.HealthStub(kubelet)
        for service in ("liveness", "readiness"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            assert answer.status == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await contract.rpc.EchoServiceStub(kubelet).Hello(contract.pb.HelloRequest(), timeout=5)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED, "nothing but health is there"
        await running.server.health.drain()
        answer = await health.Check(health_pb2.HealthCheckRequest(service="readiness"), timeout=5)
        assert answer.status == NOT_SERVING
    await running.close()


async def test_a_taken_port_for_probes_is_named(contract: Any, tmp_path: Path) -> None:
    async with serve(contract.registered(), keys_folder=tmp_path) as running:
        taken = ServerConfig(health_listen=running.address)
        with pytest.raises(OSError, match="for probes: is the port taken"):
            await start(contract.registered(), keys_folder=tmp_path / "more", config=taken)


async def test_method_left_out_is_unimplemented(contract: Any, tmp_path: Path) -> None:
    class Partial(contract.rpc.EchoServiceServicer):  # type: ignore[misc]
        async def Hello(self, request: Any, context: Any) -> Any:
            return contract.pb.SayResponse(text="hello")

    registered = [(contract.rpc.add_EchoServiceServicer_to_server, Partial())]
    async with serve(registered, keys_folder=tmp_path) as running:
        async with grpc.aio.insecure_channel(running.address) as bare:
            stub = contract.rpc.EchoServiceStub(bare)
            assert (await stub.Hello(contract.pb.HelloRequest())).text == "hello"
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Say(contract.pb.SayRequest())
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_health_names(contract: Any, tmp_path: Path) -> None:
    database_up = True

    async def database() -> None:
        if not database_up:
            raise ConnectionError("refused")

    async with (
        serve(contract.registered(), keys_folder=tmp_path, checks={"database": database}) as running,
        grpc.aio.insecure_channel(running.address) as bare,
    ):
        stub = health_pb2_grpc.HealthStub(bare)

        async def status(name: str) -> int:
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
            return int(answer.status)

        depending = ["", "readiness", "kefu.test.v1.EchoService"]
        assert [await status(name) for name in ["liveness", "accepting", *depending]] == [SERVING] * 5
        gauge = {"check": "database"}
        assert running.registry.get_sample_value("kefu_health_ready", gauge) == 1
        database_up = False
        await running.server.health.check()
        assert [await status(name) for name in depending] == [NOT_SERVING] * 3
        # A restart would not bring the database back.
        assert await status("liveness") == SERVING
        # Calls still come and are refused one by one: the fault may be one method's only.
        assert await status("accepting") == SERVING
        assert running.server.health.faults == {"database": "ConnectionError: refused"}
        assert running.registry.get_sample_value("kefu_health_ready", gauge) == 0
        database_up = True
        await running.server.health.check()
        assert [await status(name) for name in depending] == [SERVING] * 3
        with pytest.raises(grpc.aio.AioRpcError):
            await status("no.such.Service")


async def test_slow_check_counts_as_failed(contract: Any, tmp_path: Path) -> None:
    async def hangs() -> None:
        await asyncio.Event().wait()

    async with serve(contract.registered(), keys_folder=tmp_path, checks={"bus": hangs}) as running:
        assert running.server.health.faults == {"bus": "no answer within 2 s"}
        assert not running.server.health.ready


@pytest.mark.parametrize("on", [True, False])
async def test_reflection_is_a_flag(contract: Any, tmp_path: Path, on: bool) -> None:
    async with (
        serve(contract.registered(), keys_folder=tmp_path, config=ServerConfig(reflection=on)) as running,
        grpc.aio.insecure_channel(running.address) as bare,
    ):
        stub = reflection_pb2_grpc.ServerReflectionStub(bare)
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        if on:
            (answer,) = [one async for one in stub.ServerReflectionInfo(iter([ask]))]
            names = {service.name for service in answer.list_services_response.service}
            assert {"kefu.test.v1.EchoService", "grpc.health.v1.Health"} <= names
        else:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                [one async for one in stub.ServerReflectionInfo(iter([ask]))]
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_metrics_port(contract: Any, tmp_path: Path) -> None:
    async with serve(contract.registered(), keys_folder=tmp_path) as running:
        assert running.server.metrics_port is not None
        port = running.server.metrics_port.port
        await contract.rpc.EchoServiceStub(running.channel()).Say(contract.pb.SayRequest(name="sites/desk"))
        status, text = await asyncio.to_thread(fetch, port, "/metrics")
        assert status == 200
        assert 'kefu_rpc_server_duration_seconds_count{code="OK",method="kefu.test.v1.EchoService/Say"} 1.0' in text
        assert "process_resident_memory_bytes" in text
        assert "_created" not in text
        status, text = await asyncio.to_thread(fetch, port, "/metrics", "application/openmetrics-text")
        assert text.endswith("# EOF\n")
        assert await asyncio.to_thread(fetch, port, "/healthz") == (200, "ok\n")
        assert (await asyncio.to_thread(fetch, port, "/other"))[0] == 404


async def test_taken_port_is_said_plainly(contract: Any, tmp_path: Path) -> None:
    async with serve(contract.registered(), keys_folder=tmp_path / "one") as running:
        taken = ServerConfig(listen=running.address)
        with pytest.raises(OSError, match=f"cannot listen on {running.address}: is the port taken"):
            await start(contract.registered(), keys_folder=tmp_path / "two", config=taken)


async def test_stop_lets_running_calls_end(contract: Any, tmp_path: Path) -> None:
    echo = contract.echo()
    echo.gate = asyncio.Event()
    registered = [(contract.rpc.add_EchoServiceServicer_to_server, echo)]
    async with serve(registered, keys_folder=tmp_path) as running:
        stub = contract.rpc.EchoServiceStub(running.channel())
        calls = [asyncio.create_task(stub.Say(contract.pb.SayRequest(name="sites/desk"))) for _ in range(5)]
        # One of them fails, which is answered like the rest.
        failing = asyncio.create_task(stub.Say(contract.pb.SayRequest(name="sites/desk", fault="known")))

        await eventually(lambda: echo.handled == 6)
        stopping = asyncio.create_task(running.server.stop(drain_seconds=0))
        await asyncio.sleep(0)
        assert not any(call.done() for call in calls)
        echo.gate.set()
        assert len(await asyncio.gather(*calls)) == 5
        with pytest.raises(Exception, match="WRONG_STATE"):
            await failing
        await stopping


async def test_drain_under_load_fails_no_call(contract: Any, tmp_path: Path) -> None:
    """Two replicas behind one client; one gets SIGTERM in the middle of the load and goes, nobody notices."""
    config = ServerConfig(drain_seconds=0.3, grace_seconds=5.0)
    staying = await start(contract.registered(), keys_folder=tmp_path / "keys", config=config)
    going = await start(contract.registered(), keys_folder=tmp_path / "keys2", config=config)
    # Both trust the same key.
    token = staying.token()
    for pem in (tmp_path / "keys" / "public").glob("*.pem"):
        (tmp_path / "keys2" / "public" / pem.name).write_bytes(pem.read_bytes())
    going.keys.keys.reload()
    serving = asyncio.create_task(going.server.run_until_signal())
    answered: list[int] = []
    failed: list[Exception] = []
    stop = asyncio.Event()
    # Without `services` nothing is retried: a call that is sent is answered.
    target = Target(f"ipv4:{staying.address},{going.address}")
    async with ClientChannel(target, token=lambda: token) as channel:
        stub = contract.rpc.EchoServiceStub(channel)

        async def caller() -> None:
            while not stop.is_set():
                try:
                    await stub.Say(contract.pb.SayRequest(name="sites/desk"), timeout=5)
                    answered.append(1)
                except KefuError as error:
                    failed.append(error)

        callers = [asyncio.create_task(caller()) for _ in range(16)]

        await eventually(lambda: len(answered) > 200)
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
        before = len(answered)

        await eventually(lambda: len(answered) > before + 200)
        stop.set()
        await asyncio.gather(*callers)
    await staying.close()
    await going.close()
    assert failed == []


async def test_draining_server_says_so_and_stays_alive(contract: Any, tmp_path: Path) -> None:
    async with (
        serve(contract.registered(), keys_folder=tmp_path) as running,
        grpc.aio.insecure_channel(running.address) as bare,
    ):
        stub = health_pb2_grpc.HealthStub(bare)
        await running.server.health.drain()
        await running.server.health.check()
        names = ["", "readiness", "accepting", "kefu.test.v1.EchoService"]
        answers = [(await stub.Check(health_pb2.HealthCheckRequest(service=name))).status for name in names]
        assert answers == [NOT_SERVING] * 4
        assert (await stub.Check(health_pb2.HealthCheckRequest(service="liveness"))).status == SERVING


async def test_calls_after_the_end_are_unavailable(contract: Any, tmp_path: Path) -> None:
    async with serve(contract.registered(), keys_folder=tmp_path) as running:
        stub = contract.rpc.EchoServiceStub(running.channel())
        await running.server.stop(drain_seconds=0)
        with pytest.raises(Unavailable):
            await stub.Say(contract.pb.SayRequest(name="sites/desk"))


async def test_connections_that_grow_old_are_renewed_without_a_failed_call(contract: Any, tmp_path: Path) -> None:
    """How callers find new replicas: a connection lives `connection_age_seconds`, then its caller looks around."""
    peers: set[str] = set()

    class Servicer(contract.rpc.EchoServiceServicer):  # type: ignore[misc]
        async def Hello(self, request: Any, context: Any) -> Any:
            peers.add(context.peer())
            return contract.pb.SayResponse()

    registered = [(contract.rpc.add_EchoServiceServicer_to_server, Servicer())]
    config = ServerConfig(connection_age_seconds=1, connection_grace_seconds=5, grace_seconds=5)
    async with serve(registered, keys_folder=tmp_path, config=config) as running:
        stub = contract.rpc.EchoServiceStub(running.channel())

        async def three_connections() -> bool:
            await stub.Hello(contract.pb.HelloRequest())
            return len(peers) >= 3

        await eventually(three_connections, seconds=20)


@pytest.mark.parametrize("method", ["SayMany", "Talk"])
async def test_open_streams_are_told_to_go_elsewhere(contract: Any, tmp_path: Path, method: str) -> None:
    config = ServerConfig(stream_grace_seconds=0.1, grace_seconds=30)
    async with serve(contract.registered(), keys_folder=tmp_path, config=config) as running:
        request = contract.pb.SayRequest(name="sites/desk", fault="wait")
        stub = contract.rpc.EchoServiceStub(running.channel())
        stream = stub.SayMany(request) if method == "SayMany" else stub.Talk(iter_once(request))
        answers = aiter(stream)
        await anext(answers)
        began = asyncio.get_running_loop().time()
        stopping = asyncio.create_task(running.server.stop(drain_seconds=0))
        with pytest.raises(Unavailable) as caught:
            await anext(answers)
        await stopping
        assert caught.value.reason == errors_pb2.ERROR_REASON_DRAINING
        # Long before the grace period of running calls is over.
        assert asyncio.get_running_loop().time() - began < 10
        labels = {"method": f"kefu.test.v1.EchoService/{method}", "code": "UNAVAILABLE"}
        assert running.registry.get_sample_value("kefu_rpc_server_duration_seconds_count", labels) == 1


async def iter_once(request: Any) -> AsyncIterator[Any]:
    yield request
