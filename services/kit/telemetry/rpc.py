"""The metrics of calls served and calls made, with a child kept per method and code."""

from __future__ import annotations

from prometheus_client import Histogram

from services.kit.telemetry.metrics import Family, Metrics


class Durations(dict[str, Histogram]):
    """One method's histograms by code name."""

    def __init__(self, family: Family[Histogram], method: str) -> None:
        super().__init__()
        self._family = family
        self._method = method

    def __missing__(self, code: str) -> Histogram:
        child = self[code] = self._family[self._method, code]
        return child


class ServerMetrics:
    """Calls served: `kefu_rpc_server_duration_seconds` and the plain integer behind `kefu_rpc_server_in_flight`."""

    def __init__(self, metrics: Metrics) -> None:
        self.in_flight = 0
        self._family = metrics.histogram("kefu_rpc_server_duration_seconds")
        # Read at scrape time, so that a call pays an addition and no lock.
        metrics.gauge("kefu_rpc_server_in_flight")[()].set_function(lambda: float(self.in_flight))

    def of_method(self, method: str) -> Durations:
        """The histograms of one method; OK is there from the start."""
        durations = Durations(self._family, method)
        durations["OK"]
        return durations


class ClientMetrics:
    """Calls made: `kefu_rpc_client_duration_seconds`."""

    def __init__(self, metrics: Metrics) -> None:
        self._family = metrics.histogram("kefu_rpc_client_duration_seconds")

    def of_method(self, method: str) -> Durations:
        """The histograms of one method."""
        return Durations(self._family, method)
