"""Channels: deadlines handed on, tokens and traces forwarded, retries by contract, typed errors, both APIs."""

# ruff: noqa: N802, ARG002 - the names are those of the generated interface

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from kefu.common.v1 import errors_pb2
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from services.kit import call as calls
from services.kit.call import Call
from services.kit.client import ClientChannel, SyncClientChannel, Target, service_config, target
from services.kit.deadline import Deadline
from services.kit.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, PermissionDenied, Unavailable
from services.kit.telemetry.metrics import Metrics
from services.kit.telemetry.rpc import ClientMetrics
from services.kit.telemetry.trace import Trace, Tracer
from services.kit.testing.grpc import Running, serve
from services.kit.testing.polling import eventually
from services.kit.testing.tls import self_signed


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(contract: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with serve(contract.registered(), keys_folder=tmp_path_factory.mktemp("keys")) as server:
        yield server


def served(running: Running, *, seconds: float | None = None, trace: Trace | None = None) -> Call:
    """A call as a service would be serving it."""
    return Call("test", deadline=Deadline(seconds), token=running.token("forwarded"), locale="en", trace=trace)


async def test_token_locale_trace_and_deadline_are_handed_on(running: Running, contract: Any) -> None:
    async with ClientChannel(Target(f"ipv4:{running.address}")) as channel:
        stub = contract.rpc.EchoServiceStub(channel)
        with calls.bind(served(running, seconds=3)) as call:
            answer = await stub.Say(contract.pb.SayRequest(name="sites/desk"))
    assert answer.subject == "forwarded"
    assert answer.locale == "en"
    assert answer.traceparent == call.trace.traceparent
    assert 2 < answer.remaining < 3


async def test_no_time_left_means_no_call(running: Running, contract: Any) -> None:
    before = running.registry.get_sample_value(
        "kefu_rpc_server_duration_seconds_count", {"method": "kefu.test.v1.EchoService/Say", "code": "OK"}
    )
    async with ClientChannel(Target(f"ipv4:{running.address}")) as channel:
        stub = contract.rpc.EchoServiceStub(channel)
        with calls.bind(served(running, seconds=0.01)), pytest.raises(DeadlineExceeded):
            await stub.Say(contract.pb.SayRequest(name="sites/desk"))
    after = running.registry.get_sample_value(
        "kefu_rpc_server_duration_seconds_count", {"method": "kefu.test.v1.EchoService/Say", "code": "OK"}
    )
    assert after == before


async def test_stream_that_its_reader_leaves_is_cancelled(running: Running, contract: Any) -> None:
    stub = contract.rpc.EchoServiceStub(running.channel())
    answers = aiter(stub.SayMany(contract.pb.SayRequest(name="sites/desk", fault="wait")))
    await anext(answers)
    await answers.aclose()
    labels = {"method": "kefu.test.v1.EchoService/SayMany", "code": "CANCELLED"}
    await eventually(lambda: running.registry.get_sample_value("kefu_rpc_server_duration_seconds_count", labels) == 1)


class Hole:
    """A way to a server that can swallow everything, as a network does when a node is gone without a word."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self.open = asyncio.Event()
        self.open.set()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self._host, self._port)
        await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self.open.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


async def test_a_stream_into_a_black_hole_ends(contract: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "PING_SECONDS", 1)
    monkeypatch.setattr(target, "PING_ANSWER_SECONDS", 1)
    async with serve(contract.registered(), keys_folder=tmp_path) as there:
        hole = Hole(there.address)
        way = await asyncio.start_server(hole.forward, "127.0.0.1", 0)
        address = f"ipv4:127.0.0.1:{way.sockets[0].getsockname()[1]}"
        try:
            async with ClientChannel(Target(address), token=there.token) as channel, asyncio.timeout(20):
                stub = contract.rpc.EchoServiceStub(channel)
                answers = aiter(stub.SayMany(contract.pb.SayRequest(name="sites/desk", fault="wait")))
                await anext(answers)
                hole.open.clear()
                with pytest.raises(Unavailable):
                    await anext(answers)
        finally:
            hole.open.set()
            way.close()


async def test_calls_made_are_measured(running: Running, contract: Any) -> None:
    registry = CollectorRegistry()
    metrics = ClientMetrics(Metrics.from_catalogue(registry, owners=["rpc"]))
    async with ClientChannel(Target(f"ipv4:{running.address}"), token=running.token, metrics=metrics) as channel:
        stub = contract.rpc.EchoServiceStub(channel)
        await stub.Say(contract.pb.SayRequest(name="sites/desk"))
        with pytest.raises(InvalidArgument):
            await stub.Say(contract.pb.SayRequest(name="nowhere"))
        assert [one async for one in stub.SayMany(contract.pb.SayRequest(name="sites/desk"))]
    for method, code in (("Say", "OK"), ("Say", "INVALID_ARGUMENT"), ("SayMany", "OK")):
        labels = {"method": f"kefu.test.v1.EchoService/{method}", "code": code}
        assert registry.get_sample_value("kefu_rpc_client_duration_seconds_count", labels) == 1


def test_service_config_retries_only_what_may_be_repeated(contract: Any) -> None:
    config = json.loads(service_config(["kefu.test.v1.EchoService", "kefu.test.v1.OpenEndedService"]))
    (entry,) = config["methodConfig"]
    assert {name["method"] for name in entry["name"]} == {
        "Say",
        "SayMany",
        "Update",
        "Hello",
        "Whoami",
        "Everywhere",
    }
    assert entry["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert config["loadBalancingConfig"] == [{"round_robin": {}}]
    assert "hedgingPolicy" not in json.dumps(config)
    assert "methodConfig" not in json.loads(service_config([]))


class Flaky:
    """Fails the first calls with UNAVAILABLE."""

    def __init__(self, contract: Any, failures: int) -> None:
        self.seen = 0
        self.failures = failures
        self.pb = contract.pb

    async def __call__(self, request: Any, context: Any) -> Any:
        self.seen += 1
        if self.seen <= self.failures:
            raise Unavailable
        return self.pb.SayResponse(text="at last")


@pytest.mark.parametrize(("services", "seen"), [(["kefu.test.v1.EchoService"], 3), ([], 1)])
async def test_retries(contract: Any, tmp_path: Path, services: list[str], seen: int) -> None:
    flaky = Flaky(contract, failures=2)

    class Servicer(contract.rpc.EchoServiceServicer):  # type: ignore[misc]
        async def Say(self, request: Any, context: Any) -> Any:
            return await flaky(request, context)

    registered = [(contract.rpc.add_EchoServiceServicer_to_server, Servicer())]
    async with serve(registered, keys_folder=tmp_path) as running:
        target = Target(f"ipv4:{running.address}", services=services)
        async with ClientChannel(target, token=running.token) as channel:
            stub = contract.rpc.EchoServiceStub(channel)
            if services:
                assert (await stub.Say(contract.pb.SayRequest(name="sites/desk"))).text == "at last"
            else:
                with pytest.raises(Unavailable):
                    await stub.Say(contract.pb.SayRequest(name="sites/desk"))
    assert flaky.seen == seen


async def test_calls_are_spread_over_the_servers(contract: Any, tmp_path: Path) -> None:
    one, two = contract.echo(), contract.echo()
    register = contract.rpc.add_EchoServiceServicer_to_server
    async with (
        serve([(register, one)], keys_folder=tmp_path / "one") as first,
        serve([(register, two)], keys_folder=tmp_path / "two") as second,
    ):
        (tmp_path / "two" / "public" / "test.pem").write_bytes((tmp_path / "one" / "public" / "test.pem").read_bytes())
        second.keys.keys.reload()
        target = Target(f"ipv4:{first.address},{second.address}")
        async with ClientChannel(target, token=first.token) as channel:
            stub = contract.rpc.EchoServiceStub(channel)
            # Both connections stand once each server has answered.
            request = contract.pb.SayRequest(name="sites/desk")

            async def both() -> bool:
                await stub.Say(request)
                return bool(one.handled and two.handled)

            await eventually(both)
            before = (one.handled, two.handled)
            await asyncio.gather(*(stub.Say(request) for _ in range(100)))
    assert (one.handled - before[0], two.handled - before[1]) == (50, 50)


async def test_one_trace_from_client_to_server(contract: Any, tmp_path: Path) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = Tracer(provider)
    async with serve(contract.registered(), keys_folder=tmp_path, tracer=tracer) as running:
        target = Target(f"ipv4:{running.address}")
        async with ClientChannel(target, token=running.token, tracer=tracer) as channel:
            stub = contract.rpc.EchoServiceStub(channel)
            sent = Trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            with calls.bind(Call("outer", trace=sent)):
                answer = await stub.Say(contract.pb.SayRequest(name="sites/desk"))
                with pytest.raises(FailedPrecondition):
                    await stub.Say(contract.pb.SayRequest(name="sites/desk", fault="known"))
            # Not sampled: its ids go on, no span is made.
            with calls.bind(Call("outer", trace=Trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"))):
                await stub.Say(contract.pb.SayRequest(name="sites/desk"))
        await eventually(lambda: len(exporter.get_finished_spans()) == 4)
    spans: list[Any] = list(exporter.get_finished_spans())
    assert {f"{span.context.trace_id:032x}" for span in spans} == {"0af7651916cd43dd8448eb211c80319c"}
    server, client = (
        next(span for span in spans if span.kind.name == kind and "error.type" not in span.attributes)
        for kind in ("SERVER", "CLIENT")
    )
    assert server.parent.span_id == client.context.span_id
    assert f"{client.parent.span_id:016x}" == "b7ad6b7169203331"
    assert answer.traceparent == f"00-{server.context.trace_id:032x}-{server.context.span_id:016x}-01"
    assert dict(server.attributes) == {
        "rpc.system.name": "grpc",
        "rpc.method": "kefu.test.v1.EchoService/Say",
        "rpc.response.status_code": "OK",
    }
    failed = [span for span in spans if span.attributes.get("error.type") == "FAILED_PRECONDITION"]
    assert len(failed) == 2
    # The slow bucket leads to the trace: exemplars are kept for sampled calls.
    buckets = [sample for family in running.registry.collect() for sample in family.samples if sample.exemplar]
    assert {sample.exemplar.labels["trace_id"] for sample in buckets if sample.exemplar} == {
        "0af7651916cd43dd8448eb211c80319c"
    }


async def test_sync_channel(running: Running, contract: Any) -> None:
    token = running.token("threaded")

    def talk() -> None:
        pb = contract.pb
        with SyncClientChannel(Target(f"ipv4:{running.address}"), token=lambda: token, locale="en") as channel:
            stub = contract.rpc.EchoServiceStub(channel)
            answer = stub.Say(pb.SayRequest(name="sites/desk", text="hello"))
            assert (answer.subject, answer.text, answer.locale) == ("threaded", "hello", "en")
            assert len(list(stub.SayMany(pb.SayRequest(name="sites/desk")))) == 2
            many: Iterator[Any] = iter([pb.SayRequest(name="sites/desk", text=str(number)) for number in range(3)])
            assert stub.Collect(many).text == "2"
            with pytest.raises(InvalidArgument) as caught:
                stub.Say(pb.SayRequest(name="sites/desk", text="x" * 101))
            assert [violation.field for violation in caught.value.fields] == ["text"]
            with pytest.raises(FailedPrecondition):
                list(stub.SayMany(pb.SayRequest(name="sites/desk", fault="known")))
            with pytest.raises(DeadlineExceeded):
                stub.Say(pb.SayRequest(name="sites/desk", fault="wait"), timeout=0.1)
            left = iter(stub.SayMany(pb.SayRequest(name="sites/desk", fault="wait")))
            next(left)
            left.close()

    await asyncio.to_thread(talk)


async def test_nobody_there_is_unavailable(contract: Any) -> None:
    async with ClientChannel(Target("ipv4:127.0.0.1:1"), token=lambda: None) as channel:
        with pytest.raises(Unavailable):
            await contract.rpc.EchoServiceStub(channel).Hello(contract.pb.HelloRequest(), timeout=5)


async def test_tls_from_mounted_files(contract: Any, tmp_path: Path) -> None:
    from services.kit.server import ServerConfig

    certificate, key = self_signed(tmp_path)
    config = ServerConfig(tls_certificate=certificate, tls_key=key, tls_client_ca=certificate)
    async with serve(contract.registered(), keys_folder=tmp_path / "keys", config=config) as running:
        address = f"dns:///localhost:{running.server.port}"
        ours = Target(address, authority_file=certificate, certificate=certificate, key=key)
        async with ClientChannel(ours, token=running.token) as channel:
            answer = await contract.rpc.EchoServiceStub(channel).Say(contract.pb.SayRequest(name="sites/desk"))
            assert answer.site == "desk"
        async with grpc.aio.insecure_channel(running.address) as plain:
            with pytest.raises(grpc.aio.AioRpcError):
                await contract.rpc.EchoServiceStub(plain).Hello(contract.pb.HelloRequest(), timeout=5)


async def test_only_declared_callers_are_let_in(contract: Any, tmp_path: Path) -> None:
    from services.kit.server import ServerConfig

    certificate, key = self_signed(tmp_path)
    config = ServerConfig(tls_certificate=certificate, tls_key=key, tls_client_ca=certificate)

    async def say(callers: frozenset[str] | None) -> Any:
        keys = tmp_path / f"keys-{len(callers or ())}"
        async with serve(contract.registered(), keys_folder=keys, config=config, callers=callers) as running:
            ours = Target(
                f"dns:///localhost:{running.server.port}", authority_file=certificate, certificate=certificate, key=key
            )
            async with ClientChannel(ours, token=running.token) as channel:
                return await contract.rpc.EchoServiceStub(channel).Say(contract.pb.SayRequest(name="sites/desk"))

    assert (await say(None)).site == "desk"
    assert (await say(frozenset({"gateway", "localhost"}))).site == "desk"
    with pytest.raises(PermissionDenied) as caught:
        await say(frozenset({"gateway"}))
    assert caught.value.reason == errors_pb2.ERROR_REASON_CALLER_UNDECLARED
    assert caught.value.metadata == {"caller": "localhost"}
