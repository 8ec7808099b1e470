"""The metrics port: `/metrics` (OpenMetrics with exemplars when asked for) and `/healthz`, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import prometheus_client
from prometheus_client import CollectorRegistry

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

# A loop that has not turned for this long is stuck, and /healthz says so.
STUCK_SECONDS = 10.0
# How often the server looks whether it is to end.
POLL_SECONDS = 0.05


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's names
        """Scrapes are not worth a line."""


class MetricsPort:
    """Serves the registry on `address` (host:port; OSError when it is taken).

    The event loop calls `turned()`, so that /healthz notices a stuck one.
    """

    def __init__(self, registry: CollectorRegistry, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._metrics = prometheus_client.make_wsgi_app(registry)
        self._turned_at = time.monotonic()
        try:
            self._server = make_server(
                host or "0.0.0.0",  # noqa: S104 - ":9090" means every interface, as everywhere
                int(port),
                self._respond,
                server_class=_ThreadingServer,
                handler_class=_Quiet,
            )
        except OSError as error:
            raise OSError(f"cannot listen on {address} for metrics: is the port taken?") from error
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="metrics", daemon=True
        )

    def start(self) -> None:
        """Serve in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def turned(self) -> None:
        """The event loop turned just now."""
        self._turned_at = time.monotonic()

    def _respond(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        respond: dict[str, Callable[[], Iterable[bytes]]] = {
            "/metrics": lambda: self._metrics(environ, start_response),
            "/healthz": lambda: self._healthz(start_response),
        }
        path = environ.get("PATH_INFO", "")
        if path in respond:
            return respond[path]()
        return _plain(start_response, "404 Not Found", b"only /metrics and /healthz are here\n")

    def _healthz(self, start_response: StartResponse) -> Iterable[bytes]:
        if time.monotonic() - self._turned_at > STUCK_SECONDS:
            return _plain(start_response, "503 Service Unavailable", b"the event loop is stuck\n")
        return _plain(start_response, "200 OK", b"ok\n")


def _plain(start_response: StartResponse, status: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
