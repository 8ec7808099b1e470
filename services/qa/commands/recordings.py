"""Registering recordings, and telling when their content does not come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from kefu.events.v1.event_pb2 import Event, RecordingChanged

from services.kit.audit import Entry
from services.kit.db import Transaction
from services.kit.errors import InvalidArgument
from services.kit.timers.table import Timer, arm
from services.policy.desk import SiteProfiles
from services.qa.domain.recording import REGISTERED, Recording, expiry, first_state
from services.qa.metrics import QaMetrics
from services.qa.store import recordings as store

OWNER_KIND: Final = "recording"
CONTENT: Final = "content"


class Recordings:
    """Commands on recordings."""

    def __init__(
        self, profiles: SiteProfiles, metrics: QaMetrics, new_id: Callable[[], str], *, content_within: timedelta
    ) -> None:
        self._profiles = profiles
        self._metrics = metrics
        self._new_id = new_id
        self._content_within = content_within

    async def register(
        self,
        tx: Transaction,
        site: str,
        *,
        kind: str,
        subject: str,
        person: str,
        channel: str,
        queue: str = "",
        customer: str = "",
        started_at: datetime,
        ended_at: datetime,
        actor: str,
    ) -> Recording:
        """Register a recording, once per subject and kind: again it returns the first.

        Sound and picture must come within the grace time, or an alert is raised. Raises InvalidArgument for times that
        cannot be.
        """
        if not subject.startswith(f"sites/{site}/"):
            raise InvalidArgument.field("subject", "must be of the same site", "subject.site")
        if ended_at < started_at or ended_at > tx.now:
            raise InvalidArgument.field("end_time", "must be after start_time and not in the future", "end_time.order")
        days: Any = self._profiles.at(site, ended_at).setting("recording.retention_d")
        made = Recording(
            site=site,
            id=self._new_id(),
            kind=kind,
            state=first_state(kind),
            subject=subject,
            person=person,
            channel=channel,
            queue=queue,
            customer=customer,
            started_at=started_at,
            ended_at=ended_at,
            registered_at=tx.now,
            expires_at=expiry(ended_at, days),
        )
        recording = await store.insert(tx, made)
        if recording is made:
            await self._registered(tx, made, actor)
        return recording

    async def due(self, timers: list[Timer], tx: Transaction) -> None:
        """The time of these recordings' content is over: where it has not come, say so once."""
        for timer in timers:
            recording = await store.miss(tx, timer.site, timer.owner_id)
            if recording is not None:
                tx.audit(Entry(timer.site, "timer", "recording.missing", recording.name, recording.subject))
                tx.publish(changed(recording, "MISSING"))

    async def _registered(self, tx: Transaction, made: Recording, actor: str) -> None:
        tx.audit(Entry(made.site, actor, "recording.register", made.name, f"{made.kind} {made.subject}"))
        tx.publish(changed(made, made.state))
        tx.after_commit(lambda: self._metrics.registered(made.site, made.kind))
        if made.state == REGISTERED:
            due = max(tx.now, made.ended_at) + self._content_within
            await arm(tx, [Timer(OWNER_KIND, made.id, CONTENT, made.site, 1, due)])


def changed(recording: Recording, change: str) -> Event:
    """The event of a recording that changed; its version is the step's place in the life cycle."""
    fact = RecordingChanged(kind=recording.kind, change=change, subject=recording.subject, person=recording.person)
    version = ("REGISTERED", "MISSING", "AVAILABLE", "SAMPLED", "REVIEWED", "EXPIRED").index(change) + 1
    return Event(site=recording.site, aggregate=recording.name, version=version, recording_changed=fact)
