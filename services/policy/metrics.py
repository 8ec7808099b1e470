"""What a process that works by profiles measures of them; declared in grafana/metrics.yaml."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.kit.telemetry.metrics import Metrics
from services.policy.versions import Status

OWNER: Final = "policy"


class ProfileMetrics:
    """Whether the mounted profiles were taken, and since when each site's rules are in force."""

    def __init__(self, metrics: Metrics) -> None:
        self._reloads = metrics.counter("kefu_profile_reloads_total")
        self._faults = metrics.gauge("kefu_profile_faults")
        self._effective = metrics.gauge("kefu_profile_effective_timestamp_seconds")

    def changed(self, status: Status) -> None:
        """Count a reload that saw something new: for `Profiles(folder, on_change=…)`."""
        self._reloads["refused" if status.faults else "taken"].inc()
        self._faults[()].set(len(status.faults))

    def stand(self, status: Status, now: datetime) -> None:
        """Expose which version of each site is in force; also changes by time alone."""
        found = {
            site: max(starts)
            for site in status.in_force.sites
            if (starts := [since for since in _starts(status, site) if since <= now])
        }
        for site, since in found.items():
            self._effective[site].set(since.timestamp())
        self._effective.keep(found)


def _starts(status: Status, site: str) -> list[datetime]:
    return [version.profile.effective_from for version in status.in_force.versions(site)]
