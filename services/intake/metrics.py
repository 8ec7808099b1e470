"""What intake measures; declared in grafana/metrics.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from services.intake.domain.clock import Change, Clock, Kind, What
from services.intake.domain.decide import Decision
from services.intake.domain.history import Assigned, Moved
from services.intake.domain.values import State
from services.kit.telemetry.metrics import Metrics
from services.kit.telemetry.trace import Trace, Tracer
from services.policy.profile import Profile

_OUTCOMES: Final = {What.MET: "met", What.BREACHED: "breached", What.CANCELLED: "cancelled"}
_ANSWERED: Final = frozenset({What.MET, What.STOPPED_LATE})
_ENDS: Final = {State.CLOSED: "closed", State.ABANDONED: "abandoned", State.REDIRECTED: "redirected"}


@dataclass(frozen=True, slots=True)
class QueueFigure:
    """A queue at this moment."""

    site: str
    queue: str
    waiting: int
    oldest_wait_s: float


@dataclass(frozen=True, slots=True)
class SiteFigure:
    """A site at this moment."""

    site: str
    online: int
    surge: bool


class IntakeMetrics:
    """The metrics of intake, and a span for each promise that is broken, in the trace in which it began."""

    def __init__(self, metrics: Metrics, tracer: Tracer) -> None:
        self._tracer = tracer
        self._first_response = metrics.histogram("kefu_intake_first_response_seconds")
        self._sla = metrics.counter("kefu_sla_total")
        self._thresholds = metrics.gauge("kefu_sla_threshold_seconds")
        self._opened = metrics.counter("kefu_intake_conversations_opened_total")
        self._ended = metrics.counter("kefu_intake_conversations_ended_total")
        self._transfers = metrics.counter("kefu_intake_transfers_total")
        self._assignments = metrics.counter("kefu_intake_assignments_total")
        self._messages = metrics.counter("kefu_intake_messages_total")
        self._waiting = metrics.gauge("kefu_intake_queue_waiting")
        self._oldest = metrics.gauge("kefu_intake_queue_oldest_wait_seconds")
        self._online = metrics.gauge("kefu_intake_customers_online")
        self._surge = metrics.gauge("kefu_intake_surge_active")

    def decided(self, decisions: Sequence[Decision]) -> None:
        """Count what was decided and stored."""
        for decision in decisions:
            site = decision.after.site
            for message in decision.messages:
                self._messages[site, message.author_kind].inc()
            for change in decision.changes:
                self._clock(site, change)
            for entry in decision.entries:
                if isinstance(entry.detail, Moved):
                    self._moved(decision, entry.detail)
                elif isinstance(entry.detail, Assigned):
                    self._assignments[site, entry.detail.cause].inc()

    def promises(self, profiles: Iterable[Profile]) -> None:
        """Expose the first-response promises in force, and no others; a site's counters of promises begin at 0.

        A counter that appears with its first breach has no increase: the first one would never be seen.
        """
        profiles = tuple(profiles)
        for site, kind, outcome in product({one.site for one in profiles}, Kind, _OUTCOMES.values()):
            self._sla[site, kind, outcome].inc(0)
        promised = {
            (profile.site, queue.id): queue.first_response_s
            for profile in profiles
            for queue in profile.queues.values()
            if queue.first_response_s is not None
        }
        for key, seconds in promised.items():
            self._thresholds[key].set(seconds)
        self._thresholds.keep(promised)

    def standing(self, queues: Sequence[QueueFigure], sites: Sequence[SiteFigure]) -> None:
        """Expose queues and sites as they stand; what is not named any more stands at 0."""
        for family in (self._waiting, self._oldest):
            for child in family.values():
                child.set(0)
        for queue in queues:
            self._waiting[queue.site, queue.queue].set(queue.waiting)
            self._oldest[queue.site, queue.queue].set(queue.oldest_wait_s)
        for site in sites:
            self._online[site.site].set(site.online)
            self._surge[site.site].set(site.surge)

    def _clock(self, site: str, change: Change) -> None:
        clock = change.clock
        outcome = _OUTCOMES.get(change.what)
        if outcome is None and change.what not in _ANSWERED:
            return
        # The trace in which the promise began: from a bucket of a dashboard to the conversation itself.
        trace = Trace(clock.trace or None)
        exemplar = {"trace_id": trace.trace_id} if trace.sampled else None
        if change.what is What.BREACHED:
            self._broken(site, clock, trace)
        if outcome is not None:
            self._sla[site, clock.kind, outcome].inc(exemplar=exemplar)
        if clock.kind is Kind.FIRST_RESPONSE and change.what in _ANSWERED:
            self._first_response[site, clock.queue].observe(change.elapsed_s, exemplar)

    def _broken(self, site: str, clock: Clock, trace: Trace) -> None:
        attributes = {
            "kefu.site": site,
            "kefu.queue": clock.queue,
            "kefu.clock": clock.kind,
            "kefu.outcome": "breached",
        }
        span = self._tracer.open(trace, "promise broken", kind="INTERNAL", attributes=attributes)
        if span is not None:
            span.end()

    def _moved(self, decision: Decision, moved: Moved) -> None:
        site = decision.after.site
        if moved.transition == "open":
            self._opened[site, moved.channel].inc()
        elif moved.transition == "transfer":
            self._transfers[site].inc()
        ended = _ENDS.get(moved.to_state)
        if ended is not None:
            self._ended[site, ended].inc()
