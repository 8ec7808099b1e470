"""The servicer behind the kit's RPC tests; `fault` in a request says how it is to fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from services.kit import call as calls
from services.kit.errors import FailedPrecondition

SECRET = "a secret in an exception's text"


def echo_servicer(contract: Any) -> Any:
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
