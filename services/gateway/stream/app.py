"""The ASGI app of the SSE server."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from kefu.common.v1 import errors_pb2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route as Path

from services.gateway.app import SERVICE, contract_image
from services.gateway.config import GatewayConfig
from services.gateway.identity.tokens import Issuer
from services.gateway.metrics import GatewayMetrics
from services.gateway.oauth import store as programs
from services.gateway.stream.caller import Caller, Callers
from services.gateway.stream.events import HEARTBEAT, Item
from services.gateway.stream.hub import Hub, with_pauses
from services.gateway.stream.upstream import Subscriptions
from services.gateway.transcode.decode import HttpRequest, decode
from services.gateway.transcode.problem import problem, status_of
from services.gateway.transcode.routes import Route, read_routes
from services.gateway.upstream import targets
from services.kit import heap
from services.kit.access import Access
from services.kit.auth import TokenVerifier
from services.kit.db import Database
from services.kit.errors import KefuError, NotFound, PermissionDenied, ResourceExhausted, choose_locale
from services.kit.figures import Figures
from services.kit.keys import KeySet
from services.kit.telemetry.http import MetricsPort
from services.kit.telemetry.rpc import ClientMetrics
from services.kit.telemetry.trace import Span, Trace, Tracer, failed

HEARTBEAT_SECONDS: Final = 10.0
REFUSAL_SECONDS: Final = 0.3
FLUSH_SECONDS: Final = 2.0
_OURS: Final = frozenset({"as", "alt"})
_SITE_LEVEL: Final = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: what for, in which language and trace; its span lasts as long as the stream."""

    route: Route
    message: Any
    site: str
    locale: str
    trace: Trace
    span: Span | None

    def answered(self, status: int) -> None:
        """Note the status of the response's beginning."""
        if self.span is not None:
            self.span.set_attribute("http.response.status_code", status)
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                failed(self.span, str(status))

    def end(self) -> None:
        """Close the span."""
        if self.span is not None:
            self.span.end()


class Streams:
    """Serves streams; one per process."""

    def __init__(self, config: GatewayConfig, metrics: GatewayMetrics) -> None:
        self._config = config
        self._metrics = metrics
        self._access = Access.read(config.access)
        issuer = Issuer(config.signing_keys, public_keys=config.public_keys, kid=config.signing_kid)
        self._verifier = TokenVerifier(KeySet(issuer.public_keys), self._access)
        self._routes = read_routes(contract_image())
        self._database = Database(config.database, SERVICE, size=config.database_connections)
        Figures(metrics.catalogue, self._database)
        self._callers = Callers(config, self._database, issuer, self._verifier)
        self._tracer = Tracer.from_environment(os.environ, SERVICE)
        self._subscriptions = Subscriptions(
            targets(config, self._routes), issuer, ClientMetrics(metrics.catalogue), self._tracer
        )
        self.hub = Hub()
        self._open = 0
        metrics.streams[()].set_function(lambda: float(self._open))

    async def start(self) -> None:
        """Connect to the database."""
        await self._database.open(hints=False)

    async def stop(self) -> None:
        """End every subscription."""
        self.hub.close()
        await self._subscriptions.close()
        await self._database.close()
        await asyncio.to_thread(self._tracer.close, FLUSH_SECONDS)

    async def serve(self, request: Request) -> Response:
        """One stream: authenticated, permitted, from the cursor on."""
        locale = choose_locale(request.headers.get("accept-language", ""))
        cors = await self._cors(request)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=cors)
        asked = None
        try:
            self._check_host(request)
            asked = self._asked(request, locale)
            caller = await self._callers.of(request, asked.site)
            if not caller.principal.may(asked.route.permission, asked.site):
                raise PermissionDenied(metadata={"permission": asked.route.permission})
            if self._open >= self._config.max_streams:
                self._metrics.streams_dropped["full"].inc()
                raise ResourceExhausted(retry_after=5.0)
            items = await self._items(asked, caller, _cursor(request, asked.message))
        except KefuError as error:
            reply = problem(error, locale)
            if asked is not None:
                asked.answered(status_of(error))
                asked.end()
            return Response(reply.body, status_of(error), {**reply.headers, **cors})
        asked.answered(HTTPStatus.OK)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", **cors}
        events = self._listen(items, asked, caller)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def ready(self, _: Request) -> Response:
        """Whether streams can be served."""
        try:
            await self._database.fetchval("SELECT 1")
        except KefuError:
            return JSONResponse({"status": "not ready"}, 503)
        return JSONResponse({"status": "ready"})

    def _asked(self, request: Request, locale: str) -> Asked:
        route, message = self._decode(request)
        trace = self._tracer.begin(request.headers.get("traceparent"))
        attributes = {"http.request.method": "GET", "http.route": route.template.text}
        span = self._tracer.open(trace, f"GET {route.template.text}", kind="SERVER", attributes=attributes)
        return Asked(route, message, _site_of(message), locale, trace, span)

    def _decode(self, request: Request) -> tuple[Route, Any]:
        found = self._routes.find("GET", request.url.path.removeprefix(self._config.stream_path))
        if isinstance(found, frozenset) or not found[0].streaming:
            raise NotFound(metadata={"name": request.url.path[:200]})
        route, values = found
        query = [pair for pair in request.query_params.multi_items() if pair[0] not in _OURS]
        return route, decode(route, HttpRequest(values=values, query=query))

    def _check_host(self, request: Request) -> None:
        if self._config.local:
            return
        allowed = {
            self._config.public_url,
            self._config.stream_url,
            *(f"https://{host}" for host in self._config.hosts),
        }
        if request.headers.get("host", "") not in {url.split("://", 1)[-1].rstrip("/") for url in allowed}:
            raise NotFound(errors_pb2.ERROR_REASON_NOT_FOUND, {"name": "host"})

    async def _listen(self, items: AsyncIterator[Item | None], asked: Asked, caller: Caller) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            yield b"retry: 1000\n\n"
            async for item in items:
                if item is None:
                    caller = await self._callers.again(caller)
                    if not caller.principal.may(asked.route.permission, asked.site):
                        return
                yield HEARTBEAT if item is None else item.data
        except ResourceExhausted:
            self._metrics.streams_dropped["slow"].inc()
        except KefuError as error:
            self._metrics.streams_dropped["upstream"].inc()
            reply = problem(error, asked.locale)
            if asked.span is not None and status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                failed(asked.span, error.reason_name)
            yield b"event: problem\ndata: " + reply.body + b"\n\n"
        finally:
            self._open -= 1
            asked.end()

    async def _items(self, asked: Asked, caller: Caller, cursor: str) -> AsyncIterator[Item | None]:
        route, message = asked.route, asked.message
        name = str(getattr(message, route.template.fields[0]))
        if name.count("/") + 1 == _SITE_LEVEL:
            channel = self.hub.channel(
                route.path, name, lambda after: self._subscriptions.shared(route, message, after)
            )
            return channel.listen(cursor, HEARTBEAT_SECONDS)
        own = self._subscriptions.own(
            route, message, cursor, token=caller.token, locale=asked.locale, trace=asked.trace
        )
        return await _opened(own, HEARTBEAT_SECONDS)

    async def _cors(self, request: Request) -> dict[str, str]:
        origin = request.headers.get("origin")
        if origin is None:
            return {}
        headers = {"Vary": "Origin"}
        if origin == self._config.origin or (self._config.local and _same_machine(origin, self._config.origin)):
            headers |= {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}
        else:
            with contextlib.suppress(KefuError):
                if origin in await programs.all_origins(self._database):
                    headers |= {"Access-Control-Allow-Origin": origin}
        return headers | {
            "Access-Control-Allow-Headers": "Authorization, Last-Event-ID",
            "Access-Control-Max-Age": "600",
        }


def _same_machine(origin: str, ours: str) -> bool:
    """localhost and 127.0.0.1 are the same developer's machine."""
    return origin.replace("://localhost", "://127.0.0.1") == ours.replace("://localhost", "://127.0.0.1")


def _site_of(message: Any) -> str:
    name = str(getattr(message, "parent", "") or getattr(message, "name", ""))
    parts = name.split("/")
    return parts[1] if len(parts) > 1 and parts[0] == "sites" else "*"


def _cursor(request: Request, message: Any) -> str:
    return request.headers.get("last-event-id", "")[:64] or str(getattr(message, "cursor", ""))


async def _opened(items: AsyncGenerator[Item], seconds: float) -> AsyncIterator[Item | None]:
    """The items, with None after every `seconds` without one.

    A refusal comes within milliseconds, before the response begins, so that it is an answer with a status and not a
    stream that ends; a quiet stream is opened after REFUSAL_SECONDS.
    """
    waiting = asyncio.ensure_future(anext(items))
    done, _ = await asyncio.wait({waiting}, timeout=REFUSAL_SECONDS)
    if done and isinstance(refusal := waiting.exception(), KefuError):
        raise refusal
    return with_pauses(items, seconds, first=waiting)


def create_stream_app(config: GatewayConfig, metrics: GatewayMetrics) -> Starlette:
    """The ASGI app; its lifespan opens and closes the connections."""
    streams = Streams(config, metrics)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await streams.start()
        try:
            yield
        finally:
            await streams.stop()

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    app = Starlette(
        routes=[
            Path("/healthz", alive),
            Path("/readyz", streams.ready),
            Path(f"{config.stream_path}/v1/{{rest:path}}", streams.serve, methods=["GET", "OPTIONS"]),
        ],
        lifespan=lifespan,
    )
    app.state.streams = streams
    return app


def load_stream(config: GatewayConfig) -> Starlette:
    """Make the app inside granian's worker process."""
    metrics = GatewayMetrics()
    MetricsPort(metrics.registry, config.metrics_listen).start()
    app = create_stream_app(config, metrics)
    heap.keep_what_is_there()
    return app
