"""How granian runs the gateway: a parent that only watches, and a worker process that imports and makes the app.

Nothing of the app is imported here, so that the parent stays a third of the worker's size.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any, Final

from services.gateway.config import GatewayConfig

WEB_END_SECONDS: Final = 20
STREAM_END_SECONDS: Final = 5
# Granian's own lines go through the root logger, as JSON like all others.
_LOGGING: Final = {"loggers": {"_granian": {"handlers": [], "propagate": True}}}


def serve_web(config: GatewayConfig) -> None:
    """Run the web server until SIGTERM: running requests end first."""
    _serve(
        config.listen,
        functools.partial(_load, "services.gateway.app", "load_web", config),
        interface="wsgi",
        blocking_threads=config.threads,
        backpressure=config.threads * 8,
        workers_kill_timeout=WEB_END_SECONDS,
    )


def serve_stream(config: GatewayConfig) -> None:
    """Run the SSE server until SIGTERM."""
    _serve(
        config.stream_listen,
        functools.partial(_load, "services.gateway.stream.app", "load_stream", config),
        interface="asgi",
        backlog=4_096,
        backpressure=config.max_streams + 100,
        workers_kill_timeout=STREAM_END_SECONDS,
    )


def _serve(listen: str, load: functools.partial[Any], *, interface: str, **settings: Any) -> None:
    from granian import Granian
    from granian.constants import Interfaces, Loops

    host, _, port = listen.rpartition(":")
    Granian(
        str(load.args[0]),
        address=host,
        port=int(port),
        interface=Interfaces(interface),
        workers=1,
        loop=Loops.uvloop,
        websockets=False,
        log_dictconfig=_LOGGING,
        **settings,
    ).serve(target_loader=load, wrap_loader=False)


def _load(module: str, maker: str, config: GatewayConfig) -> Any:
    return getattr(importlib.import_module(module), maker)(config)
