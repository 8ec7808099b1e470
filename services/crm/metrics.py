"""What crm measures; declared in grafana/metrics.yaml."""

from __future__ import annotations

from typing import Final

from services.crm.commands.orders import Recorded
from services.kit.telemetry.metrics import Metrics

LETTERS: Final = ("DELIVERED", "RETRIED", "PARKED", "BOUNCED")


class CrmMetrics:
    """The metrics of crm."""

    def __init__(self, metrics: Metrics) -> None:
        self._moves = metrics.counter("kefu_crm_tier_moves_total")
        self._lines = metrics.counter("kefu_crm_order_lines_total")
        self._letters = metrics.counter("kefu_crm_letters_total")
        for outcome in LETTERS:  # from 0 on, so that the first one is an increase
            self._letters[outcome].inc(0)
        self._liability = metrics.gauge("kefu_crm_points_liability")

    def moved(self, site: str, cause: str) -> None:
        """A tier was raised, lowered, warned about or recovered."""
        self._moves[site, cause].inc()

    def lines(self, site: str, done: Recorded) -> None:
        """Order lines were taken over."""
        self._lines[site, "STORED"].inc(done.stored)
        self._lines[site, "REPEATED"].inc(done.repeated)
        self._lines[site, "REFUSED"].inc(len(done.refused))

    def letter(self, outcome: str) -> None:
        """A message to a customer was tried: delivered, retried, parked or bounced."""
        self._letters[outcome.upper()].inc()

    def liability(self, by_site: dict[str, tuple[int, int]]) -> None:
        """Points that customers may spend now, and later."""
        for site, (active, pending) in by_site.items():
            self._liability[site, "ACTIVE"].set(active)
            self._liability[site, "PENDING"].set(pending)
