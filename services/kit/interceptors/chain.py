"""The chain fused into one handler per method: no stack of interceptors, one coroutine frame more than the bare method.

The handler takes bytes and gives bytes, so that decoding happens inside the chain and bytes that do not decode are the
caller's fault (INVALID_ARGUMENT), not an INTERNAL of grpc's.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, TypeVar

import grpc
from kefu.common.v1 import errors_pb2

from services.kit import call as calls
from services.kit.call import Call
from services.kit.errors.status import DETAILS_KEY, to_status
from services.kit.errors.tree import DeadlineExceeded, Internal, KefuError, Unavailable
from services.kit.interceptors.method import Method
from services.kit.interceptors.steps import CALL_STEPS, MESSAGE_STEPS, Tools, read_headers
from services.kit.telemetry.rpc import ServerMetrics
from services.kit.telemetry.trace import answered

_log: Final = logging.getLogger("kefu.rpc")
_SLOW_SECONDS: Final = 1.0
_T = TypeVar("_T")

Context = grpc.aio.ServicerContext[Any, Any]


class Chain:
    """Wraps the handlers of one server."""

    def __init__(self, tools: Tools, metrics: ServerMetrics) -> None:
        self._tools = tools
        self._metrics = metrics
        self._streams = Streams()

    def end_streams(self) -> None:
        """Tell the readers of open streams that the server is stopping; they resume with another replica."""
        self._streams.end()

    def wrap(self, method: Method, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        """The handler that passes the whole chain; raises TypeError for a method that is not written for asyncio."""
        guard = _Guard(method, self._tools, self._metrics)
        serialize: Callable[[Any], bytes] = handler.response_serializer  # type: ignore[assignment]
        if handler.response_streaming:
            stream = handler.stream_stream if handler.request_streaming else handler.unary_stream
            _require(inspect.isasyncgenfunction(stream), method, "an async generator")
            run = _streaming(guard, stream, serialize, self._streams, many=handler.request_streaming)
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return make(run)
        single = handler.stream_unary if handler.request_streaming else handler.unary_unary
        _require(inspect.iscoroutinefunction(single), method, "a coroutine function")
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(_collecting(guard, single, serialize))
        return grpc.unary_unary_rpc_method_handler(_single(guard, single, serialize))


class Streams:
    """The server streams that are open; a watch would otherwise hold up the server's end for its whole grace period."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ending = False

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Count the current task as an open stream; raises Unavailable (DRAINING) in it when it is told to end."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task in self._tasks or not self._ending:
                raise
            task.uncancel()
            raise Unavailable(errors_pb2.ERROR_REASON_DRAINING) from None
        finally:
            self._tasks.discard(task)

    def end(self) -> None:
        """End every open stream."""
        self._ending = True
        while self._tasks:
            self._tasks.pop().cancel()


def _require(holds: bool, method: Method, what: str) -> None:
    if not holds:
        raise TypeError(f"{method.name} must be {what}")


class _Guard:
    """The steps of one method, and what is done when a call ends."""

    __slots__ = ("_call_steps", "_decode", "_durations", "_message_steps", "_metrics", "_name", "_tools")

    def __init__(self, method: Method, tools: Tools, metrics: ServerMetrics) -> None:
        self._name = method.name
        self._tools = tools
        self._metrics = metrics
        self._durations = metrics.of_method(method.name)
        call_steps = (build(tools, method) for _, build in CALL_STEPS)
        self._call_steps = [step for step in call_steps if step is not None]
        message_steps = (build(tools, method) for _, build in MESSAGE_STEPS)
        built = [step for step in message_steps if step is not None]
        self._decode, self._message_steps = built[0], built[1:]

    def open(self, call: Call, context: Context) -> None:
        """Run the call steps; the call is current from here on."""
        calls.enter(call)
        headers = read_headers(context.invocation_metadata())  # type: ignore[arg-type]
        for step in self._call_steps:
            step(call, headers, context)
        if call.trace.sampled:
            call.span = self._tools.tracer.open(
                call.trace, self._name, kind="SERVER", attributes={"rpc.system.name": "grpc", "rpc.method": self._name}
            )

    def admit(self, call: Call, data: bytes) -> Any:
        """Run the message steps on one request's bytes."""
        request = self._decode(call, data)
        for step in self._message_steps:
            step(call, request)
        return request

    def new_call(self) -> Call:
        """A call of this method, counted as in flight."""
        self._metrics.in_flight += 1
        return Call(self._name)

    def close(self, call: Call, code: str, began: float) -> None:
        """Measure a call that ended with `code` and close its span."""
        metrics = self._metrics
        metrics.in_flight -= 1
        seconds = time.perf_counter() - began
        span = call.span
        if span is None:
            self._durations[code].observe(seconds)
            if seconds > _SLOW_SECONDS and not call.deadline.is_long:
                _log.warning("slow call", extra={"method": self._name, "code": code, "seconds": round(seconds, 3)})
            return
        self._durations[code].observe(seconds, {"trace_id": call.trace.trace_id})
        answered(span, code)
        span.end()

    async def fail(self, call: Call, context: Context, error: KefuError) -> None:
        """Send the status of an error; always raises grpc's AbortError."""
        status = to_status(error, call.locale)
        await context.abort(error.code, status.message, ((DETAILS_KEY, status.SerializeToString()),))

    def explain(self, error: Exception, call: Call) -> KefuError:
        """The error to tell: a KefuError as it is, anything else as INTERNAL with the id of its log line."""
        if isinstance(error, KefuError):
            if error.reason == errors_pb2.ERROR_REASON_INTERNAL:
                _log.error("internal error", exc_info=error, extra={"method": self._name, **error.metadata})
            return error
        error_id = secrets.token_hex(8)
        _log.error(
            "unexpected error", exc_info=error, extra={"method": self._name, "error_id": error_id, "site": call.site}
        )
        return Internal(metadata={"error_id": error_id})

    async def run(self, context: Context, work: Callable[[Call], Awaitable[_T]]) -> _T:
        """Run a whole call: open it, do the work within its deadline, tell its errors, measure its end."""
        began = time.perf_counter()
        call = self.new_call()
        code = "OK"
        try:
            self.open(call, context)
            if context.time_remaining() is not None:
                # grpc itself cancels this task when the caller's deadline passes.
                return await work(call)
            return await _within(call, work)
        except grpc.aio.AbortError:
            code = _code_name(context)
            raise
        except asyncio.CancelledError:
            remaining = call.deadline.remaining()
            code = "DEADLINE_EXCEEDED" if remaining is not None and remaining <= 0 else "CANCELLED"
            raise
        except Exception as error:
            known = self.explain(error, call)
            code = known.code.name
            await self.fail(call, context, known)
            raise
        finally:
            self.close(call, code, began)


async def _within(call: Call, work: Callable[[Call], Awaitable[_T]]) -> _T:
    """Hold a call without a deadline of its own to ours."""
    limit = asyncio.timeout(call.deadline.remaining())
    try:
        async with limit:
            return await work(call)
    except TimeoutError as error:
        if limit.expired():
            raise DeadlineExceeded from error
        raise


def _code_name(context: Context) -> str:
    # grpc gives the bare number here, whatever its stubs say.
    number: Any = context.code()
    return next((known.name for known in grpc.StatusCode if number in (known, known.value[0])), "UNKNOWN")


def _single(
    guard: _Guard, behaviour: Any, serialize: Callable[[Any], bytes]
) -> Callable[[bytes, Context], Awaitable[bytes]]:
    async def handle(data: bytes, context: Context) -> bytes:
        async def work(call: Call) -> bytes:
            return serialize(await behaviour(guard.admit(call, data), context))

        return await guard.run(context, work)

    return handle


def _collecting(
    guard: _Guard, behaviour: Any, serialize: Callable[[Any], bytes]
) -> Callable[[Any, Context], Awaitable[bytes]]:
    async def handle(stream: AsyncIterator[bytes], context: Context) -> bytes:
        async def work(call: Call) -> bytes:
            return serialize(await behaviour(_requests(guard, call, stream), context))

        return await guard.run(context, work)

    return handle


def _streaming(
    guard: _Guard, behaviour: Any, serialize: Callable[[Any], bytes], streams: Streams, *, many: bool
) -> Callable[[Any, Context], Awaitable[None]]:
    async def handle(incoming: Any, context: Context) -> None:
        async def work(call: Call) -> None:
            requests = _requests(guard, call, incoming) if many else guard.admit(call, incoming)
            async with streams.hold(), aclosing(behaviour(requests, context)) as responses:
                async for response in responses:
                    await context.write(serialize(response))

        await guard.run(context, work)

    return handle


async def _requests(guard: _Guard, call: Call, stream: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for data in stream:
        yield guard.admit(call, data)
