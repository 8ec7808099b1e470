"""Compiles the test contract into a temporary folder, so that nothing test-only ships, and serves it.

`fault` in a request says how the servicer is to fail.
"""

# ruff: noqa: N802, ARG002 - the names are those of the generated interface

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from grpc_tools import protoc

from services.kit import call as calls
from services.kit.errors import FailedPrecondition

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
SECRET = "a secret in an exception's text"


class Contract:
    """The generated modules of echo.proto."""

    def __init__(self, messages: ModuleType, services: ModuleType) -> None:
        self.pb: Any = messages
        self.rpc: Any = services

    def echo(self) -> Any:
        """A new EchoServiceServicer."""
        return echo_servicer(self)

    def registered(self) -> list[Any]:
        """What `serve()` takes: one EchoService."""
        return [(self.rpc.add_EchoServiceServicer_to_server, self.echo())]


@pytest.fixture(scope="session")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contract]:
    folder = tmp_path_factory.mktemp("echo")
    image = ROOT / "protos" / "gen" / "kefu" / "image.binpb"
    code = protoc.main(
        [
            "protoc",
            f"--descriptor_set_in={image}",
            f"-I{HERE}",
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            "echo.proto",
        ]
    )
    assert code == 0
    sys.path.insert(0, str(folder))
    yield Contract(importlib.import_module("echo_pb2"), importlib.import_module("echo_pb2_grpc"))
    sys.path.remove(str(folder))


def echo_servicer(contract: Contract) -> Any:
    """An EchoServiceServicer of the compiled contract."""
    pb = contract.pb

    def answer(request: Any) -> Any:
        call = calls.current()
        return pb.SayResponse(
            text=getattr(request, "text", ""),
            subject=call.principal.subject,
            site=call.site,
            request_id=call.request_id or "",
            fingerprint=call.fingerprint,
            remaining=call.deadline.remaining() or 0.0,
            traceparent=call.trace.traceparent,
            locale=call.locale,
        )

    async def fail(request: Any) -> None:
        match request.fault:
            case "known":
                raise FailedPrecondition(metadata={"state": "CLOSED", "allowed": "reopen"})
            case "unknown":
                raise RuntimeError(SECRET)
            case "wait":
                await asyncio.Event().wait()

    class Echo(contract.rpc.EchoServiceServicer):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.gate: asyncio.Event | None = None
            self.handled = 0

        async def Say(self, request: Any, context: Any) -> Any:
            self.handled += 1
            if self.gate is not None:
                await self.gate.wait()
            await fail(request)
            return answer(request)

        async def SayMany(self, request: Any, context: Any) -> AsyncIterator[Any]:
            self.handled += 1
            yield answer(request)
            await fail(request)
            yield answer(request)

        async def Collect(self, requests: AsyncIterator[Any], context: Any) -> Any:
            self.handled += 1
            last = None
            async for last in requests:
                await fail(last)
            return answer(last)

        async def Talk(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
            self.handled += 1
            async for request in requests:
                yield answer(request)
                await fail(request)

        async def Update(self, request: Any, context: Any) -> Any:
            return answer(request)

        async def Hello(self, request: Any, context: Any) -> Any:
            return answer(request)

        async def Whoami(self, request: Any, context: Any) -> Any:
            return answer(request)

        async def Everywhere(self, request: Any, context: Any) -> Any:
            return answer(request)

    return Echo()
