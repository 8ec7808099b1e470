"""What crm measures; declared in grafana/metrics.yaml."""

from __future__ import annotations

from services.crm.commands.orders import Recorded
from services.kit.telemetry.metrics import Metrics


class CrmMetrics:
    """The metrics of crm."""

    def __init__(self, metrics: Metrics) -> None:
        self._moves = metrics.counter("kefu_crm_tier_moves_total")
        self._lines = metrics.counter("kefu_crm_order_lines_total")
        self._liability = metrics.gauge("kefu_crm_points_liability")

    def moved(self, site: str, cause: str) -> None:
        """A tier was raised, lowered, warned about or recovered."""
        self._moves[site, cause].inc()

    def lines(self, site: str, done: Recorded) -> None:
        """Order lines were taken over."""
        self._lines[site, "STORED"].inc(done.stored)
        self._lines[site, "REPEATED"].inc(done.repeated)
        self._lines[site, "REFUSED"].inc(len(done.refused))

    def liability(self, by_site: dict[str, tuple[int, int]]) -> None:
        """Points that customers may spend now, and later."""
        for site, (active, pending) in by_site.items():
            self._liability[site, "ACTIVE"].set(active)
            self._liability[site, "PENDING"].set(pending)
