"""What qa measures; declared in grafana/metrics.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.kit.telemetry.metrics import Metrics
from services.qa.domain.recording import KINDS


class QaMetrics:
    """The metrics of qa."""

    def __init__(self, metrics: Metrics) -> None:
        self._registered = metrics.counter("kefu_qa_recordings_registered_total")
        self._missing = metrics.gauge("kefu_qa_recordings_missing")
        self._reviews = metrics.counter("kefu_qa_reviews_total")

    def registered(self, site: str, kind: str) -> None:
        """A recording was registered."""
        self._registered[site, kind].inc()

    def reviewed(self, site: str, transition: str) -> None:
        """A review was assigned, submitted, answered, or is overdue."""
        self._reviews[site, transition].inc()

    def missing(self, sites: Iterable[str], found: Mapping[tuple[str, str], int]) -> None:
        """Recordings, by site and kind, whose content was due and has not come; 0 where none is."""
        for site in sites:
            for kind in KINDS:
                self._missing[site, kind].set(found.get((site, kind), 0))
