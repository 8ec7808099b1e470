"""What staffing measures; declared in grafana/metrics.yaml."""

from __future__ import annotations

from services.kit.telemetry.metrics import Metrics
from services.staffing.domain.presence import State


class StaffingMetrics:
    """The metrics of staffing."""

    def __init__(self, metrics: Metrics) -> None:
        self._changes = metrics.counter("kefu_staffing_presence_changes_total")

    def presence_changed(self, state: State) -> None:
        """Somebody's presence became `state`."""
        self._changes[state.value].inc()
