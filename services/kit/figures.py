"""What on-call needs of a service's background work and database, as metrics; declared in grafana/metrics.yaml."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from services.kit.backlog import backlog
from services.kit.db import Database
from services.kit.errors import KefuError
from services.kit.relay import Progress
from services.kit.telemetry.metrics import Metrics
from services.kit.timers import Timer

OWNER: Final = "work"
LOOK_SECONDS: Final = 5.0


class Figures:
    """Measures one service's database, timers, outbox and the consumers of the stream."""

    def __init__(self, metrics: Metrics, database: Database) -> None:
        self._database = database
        self._lateness = metrics.histogram("kefu_timer_lateness_seconds")[()]
        self._overdue = metrics.gauge("kefu_timer_overdue_seconds")[()]
        self._unpublished = metrics.gauge("kefu_outbox_unpublished_seconds")[()]
        self._unconsumed = metrics.gauge("kefu_outbox_unconsumed_events")[()]
        self._parked = metrics.gauge("kefu_parked_items")[()]
        self._unsealed = metrics.gauge("kefu_audit_unsealed_rows")[()]
        self._pending = metrics.gauge("kefu_consumer_pending_events")
        self._acknowledged = metrics.gauge("kefu_consumer_acknowledged_sequence")
        database.observe = metrics.histogram("kefu_db_transaction_seconds")[()].observe
        metrics.gauge("kefu_db_connections_busy")[()].set_function(lambda: float(database.pool.busy))
        metrics.gauge("kefu_db_connections_max")[()].set(database.pool.size)

    def fired(self, timers: Sequence[Timer], now: datetime) -> None:
        """Note how late timers fire: for `Dispatcher(…, fired=…)`."""
        for timer in timers:
            self._lateness.observe(max(0.0, (now - timer.due_at).total_seconds()))

    def consumers(self, progress: Mapping[str, Progress]) -> None:
        """Expose how far each durable consumer of the stream is: for `Relay(…, progress=…)`."""
        for name, one in progress.items():
            self._pending[name].set(one.pending)
            self._acknowledged[name].set(one.acknowledged)
        self._pending.keep(progress)
        self._acknowledged.keep(progress)

    async def keep(self) -> None:
        """Expose what waits, every `LOOK_SECONDS`; the last figures stand while the database is away."""
        while True:
            with contextlib.suppress(KefuError):
                now = await backlog(self._database)
                self._overdue.set(now.timer_overdue_seconds)
                self._unpublished.set(now.unpublished_seconds)
                self._unconsumed.set(now.unconsumed_events)
                self._parked.set(now.parked)
                self._unsealed.set(now.unsealed_audit_rows)
            await asyncio.sleep(LOOK_SECONDS)
