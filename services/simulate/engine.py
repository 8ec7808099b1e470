"""Replays a day's script against running services in virtual time: a heap of what people do, each at its second.

The engine decides only what customers and people at the desk do; who is offered which call is the services' decision,
read back through the API. A step moves the clocks to its second and then makes its call.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from kefu.intake.v1 import conversation_pb2 as pb
from kefu.staffing.v1.person_pb2 import Presence

from services.simulate.day import Caller, Day
from services.simulate.desk import Desk
from services.simulate.shifts import WRAP_UP, Shift

AVAILABLE, BREAK, OFFLINE = Presence.STATE_AVAILABLE, Presence.STATE_BREAK, Presence.STATE_OFFLINE
# Whoever still waits when the last person has gone hangs up after this long.
HOPELESS_SECONDS = 600


class End(StrEnum):
    """How a call ended in the replay."""

    WAITING = "WAITING"
    TALKING = "TALKING"
    SERVED = "SERVED"
    ABANDONED = "ABANDONED"


@dataclass(slots=True)
class Line:
    """One call of the replay. Instants are seconds after midnight."""

    caller: Caller
    name: str = ""
    person: str = ""
    answered_at: float | None = None
    ended_at: float | None = None
    end: End = End.WAITING

    @property
    def wait(self) -> float:
        """Seconds until somebody answered, or the caller gave up."""
        until = self.answered_at if self.answered_at is not None else self.ended_at
        return (until if until is not None else self.caller.arrival) - self.caller.arrival


@dataclass(slots=True)
class Worker:
    """One person of the replay: present or not, and with which call."""

    shift: Shift
    present: bool = False
    call: str = ""
    stretch: int = 0


@dataclass(slots=True)
class Outcome:
    """What a replayed day came to."""

    lines: dict[str, Line] = field(default_factory=dict)
    steps: int = 0
    timers_fired: int = 0

    def decisions(self) -> list[tuple[str, str, str, float]]:
        """Every call's fate: key, end, who took it, seconds waited; equal for equal seeds."""
        return [(key, line.end.value, line.person, line.wait) for key, line in sorted(self.lines.items())]


Step = Callable[[], Awaitable[None]]


class Engine:
    """Plays one day at one site."""

    def __init__(self, desk: Desk, day: Day, midnight: datetime) -> None:
        self._desk = desk
        self._day = day
        self._midnight = midnight
        self._heap: list[tuple[float, int, Step, Line | None]] = []
        self._numbers = itertools.count()
        self._now = -1.0
        self._lines: dict[str, Line] = {}
        self._by_name: dict[str, Line] = {}
        self._waiting: dict[str, Line] = {}
        self._workers = {shift.person: Worker(shift) for shift in day.shifts}
        self._at_work = len(self._workers)
        self._outcome = Outcome(self._lines)

    async def run(self) -> Outcome:
        """Play until everybody has gone home and nobody waits."""
        for caller in self._day.callers:
            self._at(caller.arrival, lambda caller=caller: self._arrive(caller))  # type: ignore[misc]
        for worker in self._workers.values():
            self._at(worker.shift.stretches[0].start, lambda worker=worker: self._begin(worker))  # type: ignore[misc]
        while self._heap:
            at, _, step, waiting = heapq.heappop(self._heap)
            if waiting is not None and waiting.end is not End.WAITING:  # answered in the meantime
                continue
            if at > self._now:
                self._now = at
                self._outcome.timers_fired += await self._desk.advance(self._instant())
            self._outcome.steps += 1
            await step()
        return self._outcome

    def _at(self, second: float, step: Step, waiting: Line | None = None) -> None:
        """Do `step` at that second; one that is about a `waiting` caller is left out once somebody answered."""
        heapq.heappush(self._heap, (max(second, self._now), next(self._numbers), step, waiting))

    def _instant(self) -> datetime:
        return self._midnight + timedelta(seconds=self._now)

    async def _arrive(self, caller: Caller) -> None:
        line = self._lines[caller.key] = self._waiting[caller.key] = Line(caller)
        opened = await self._desk.arrive(
            channel=pb.CHANNEL_PHONE,
            key=caller.key,
            customer=caller.customer,
            tier=caller.tier,
            queue=caller.queue,
        )
        line.name = opened.name
        self._by_name[opened.name] = line
        self._at(self._now + caller.patience, lambda: self._give_up(line), line)
        await self._look()

    async def _give_up(self, line: Line) -> None:
        await self._desk.hang_up(line.name)
        line.end, line.ended_at = End.ABANDONED, self._now
        del self._waiting[line.caller.key]

    async def _look(self) -> None:
        """Ask who was offered what, if anything can have been: somebody free meets somebody waiting."""
        if not self._can_match():
            return
        self._outcome.timers_fired += await self._desk.advance(self._instant())
        for offer in await self._desk.offered():
            await self._answer(self._by_name[offer.name], offer.assignee)

    def _can_match(self) -> bool:
        free = [worker.shift.types for worker in self._workers.values() if worker.present and not worker.call]
        if not free:
            return False
        queues = frozenset().union(*free)
        return any(line.caller.queue in queues for line in self._waiting.values())

    async def _answer(self, line: Line, person: str) -> None:
        await self._desk.accept(line.name, person)
        line.person, line.end, line.answered_at = person, End.TALKING, self._now
        self._workers[person].call = line.caller.key
        del self._waiting[line.caller.key]
        self._at(self._now + line.caller.service, lambda: self._end(line))

    async def _end(self, line: Line) -> None:
        await self._desk.hang_up(line.name)
        line.end, line.ended_at = End.SERVED, self._now
        self._at(self._now + WRAP_UP, lambda: self._wrap_up(line))

    async def _wrap_up(self, line: Line) -> None:
        worker, caller = self._workers[line.person], line.caller
        leaving = worker.shift.stretches[worker.stretch].end <= self._now
        if leaving:  # before the call is closed, or the next one would be offered at once
            await self._leave(worker)
        await self._desk.close(line.name, line.person)
        worker.call = ""
        if caller.rating:
            await self._desk.rate(
                line.name, channel="PHONE", customer=caller.customer, tier=caller.tier, score=caller.rating
            )
        if not leaving:
            await self._look()

    async def _begin(self, worker: Worker) -> None:
        worker.present = True
        await self._be(worker, AVAILABLE)
        self._at(worker.shift.stretches[worker.stretch].end, lambda: self._maybe_leave(worker))
        await self._look()

    async def _maybe_leave(self, worker: Worker) -> None:
        """Leave at the end of a stretch, unless a call is at hand: then after it."""
        if worker.present and not worker.call and worker.shift.stretches[worker.stretch].end <= self._now:
            await self._leave(worker)

    async def _leave(self, worker: Worker) -> None:
        """Go on the break that follows, for as long as in the log even when it begins late; or go home."""
        worker.present = False
        stretches = worker.shift.stretches
        back = self._now
        while worker.stretch + 1 < len(stretches):
            pause = stretches[worker.stretch + 1].start - stretches[worker.stretch].end
            worker.stretch += 1
            back = max(stretches[worker.stretch].start, back + pause)
            if stretches[worker.stretch].end > back:
                await self._be(worker, BREAK)
                self._at(back, lambda: self._begin(worker))
                return
        await self._be(worker, OFFLINE)
        self._at_work -= 1
        if not self._at_work:
            for line in self._waiting.values():
                self._at(self._now + HOPELESS_SECONDS, lambda line=line: self._give_up(line), line)  # type: ignore[misc]

    async def _be(self, worker: Worker, state: Presence.State.ValueType) -> None:
        await self._desk.advance_staffing(self._instant())
        await self._desk.be(worker.shift.person, state)
        await self._desk.advance_staffing(self._instant())
