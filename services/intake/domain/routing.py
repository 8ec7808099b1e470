"""Who gets which conversation: a pure function of who waits, who is free and the site's rules.

Order of service: first whoever is past the ceiling of a promise, next deadline first, whatever their tier; then by
waiting time times tier weight, so that a tier goes ahead but everybody ages; oldest first inside a tier. Nobody
starves: only those whose promise is due earlier can go before somebody past the ceiling.

Each is given to the best person who may serve them (owner of the matter, least loaded, longest idle). When
all of those have just been given others, one of the others moves to another person who can serve it as well (augmenting
path), so that nobody waits while some arrangement of the same people would serve them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.policy.profile import Profile

# How long a customer may wait, seconds, before tiers stop counting at a site that promises no first response anywhere.
PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A conversation that waits for a person.

    `due_at` is the deadline of the promise that is next to break, `target_s` its length; without one the rules'
    patience counts from `since`. `refused` cannot have it: they declined, or it was taken back from them.
    """

    conversation: str
    since: datetime
    skills: frozenset[str] = frozenset()
    tier: str = ""
    due_at: datetime | None = None
    target_s: float = 0.0
    owner: str = ""
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Agent:
    """A person who is available: `load` of `capacity` conversations now, without work since `idle_since`.

    Who is not certified serves nobody.
    """

    person: str
    capacity: int
    load: int
    idle_since: datetime
    skills: frozenset[str] = frozenset()
    certified: bool = True


@dataclass(frozen=True, slots=True)
class Rules:
    """A site's order of service. A tier that is not named weighs 1.

    `ceiling_fraction` of a promise is when tiers stop counting; `patience_s` stands in where nothing was promised.
    """

    tier_weights: Mapping[str, float] = field(default_factory=dict)
    ceiling_fraction: float = 0.8
    patience_s: float = PATIENCE_S

    @classmethod
    def of(cls, profile: Profile) -> Rules:
        """Return a site's rules; its longest first-response promise stands in where a queue promises nothing."""
        promised = [float(queue.first_response_s) for queue in profile.queues.values() if queue.first_response_s]
        return cls(profile.routing.tier_weights, profile.routing.ceiling_fraction, max(promised, default=PATIENCE_S))


class Turn(StrEnum):
    """Why a conversation was next."""

    CEILING = "CEILING"  # its promise was about to break, or had broken
    PRIORITY = "PRIORITY"  # longest wait, weighted by tier


class Choice(StrEnum):
    """Why a person was chosen."""

    OWNER = "OWNER"  # accountable for the matter
    LEAST_LOADED = "LEAST_LOADED"  # smallest share of capacity in use; among equals the longest idle
    MADE_ROOM = "MADE_ROOM"  # gave another conversation of this round to a colleague in order to take this one


@dataclass(frozen=True, slots=True)
class Reason:
    """Why this match: for the console, in figures. `due_in_s` is negative once the promise is broken."""

    turn: Turn
    choice: Choice
    place: int
    waited_s: float
    weight: float
    due_in_s: float
    candidates: int


@dataclass(frozen=True, slots=True)
class Match:
    """One conversation offered to one person."""

    conversation: str
    person: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class _Place:
    """A waiting conversation's standing in the line."""

    waiting: Waiting
    turn: Turn
    waited_s: float
    weight: float
    due_at: datetime

    @property
    def key(self) -> tuple[int, float, datetime, str]:
        if self.turn is Turn.CEILING:
            return 0, self.due_at.timestamp(), self.waiting.since, self.waiting.conversation
        return 1, -self.waited_s * self.weight, self.waiting.since, self.waiting.conversation


def order(waiting: Iterable[Waiting], rules: Rules, now: datetime) -> list[Waiting]:
    """Return who waits in the order in which they will be served: the place in the line."""
    return [place.waiting for place in _line(waiting, rules, now)]


def match(waiting: Iterable[Waiting], agents: Iterable[Agent], rules: Rules, now: datetime) -> list[Match]:
    """Offer what waits to the people who are free, in order of service.

    Nobody gets more than their capacity or work without the skills; nobody is left waiting whom some arrangement of the
    people free now could serve besides everyone ahead in the line. The same input gives the same matches.
    """
    staff = sorted((a for a in agents if a.certified), key=lambda a: (a.idle_since, a.person))
    round_ = _Round(staff)
    for number, place in enumerate(_line(waiting, rules, now), start=1):
        if not round_.room:
            break
        round_.serve(number, place)
    return round_.matches(now)


def _line(waiting: Iterable[Waiting], rules: Rules, now: datetime) -> list[_Place]:
    return sorted((_place(one, rules, now) for one in waiting), key=lambda place: place.key)


def _place(one: Waiting, rules: Rules, now: datetime) -> _Place:
    target = one.target_s if one.due_at else rules.patience_s
    due = one.due_at or one.since + timedelta(seconds=rules.patience_s)
    past = now >= due - timedelta(seconds=(1 - rules.ceiling_fraction) * target)
    waited = max((now - one.since).total_seconds(), 0.0)
    weight = rules.tier_weights.get(one.tier, 1.0)
    return _Place(one, Turn.CEILING if past else Turn.PRIORITY, waited, weight, due)


class _Round:
    """One round of matching: who has room, and who was given what.

    A search for an augmenting path that fails leaves its people in `full`: everyone they could pass work to is full as
    well, and stays so for the rest of the round. Each person is thus searched in vain once, however many wait.
    """

    def __init__(self, staff: Sequence[Agent]) -> None:
        self._staff = staff
        self._spare = {agent.person: max(agent.capacity - agent.load, 0) for agent in staff}
        self._load = {agent.person: agent.load for agent in staff}
        self._rank = {agent.person: rank for rank, agent in enumerate(staff)}
        self._capacity = {agent.person: agent.capacity for agent in staff}
        self._given: dict[str, dict[str, _Place]] = {agent.person: {} for agent in staff}
        self._reasons: dict[str, tuple[int, int, Choice]] = {}
        self._capable: dict[frozenset[str], tuple[str, ...]] = {}
        self._full: set[str] = set()
        self.room = sum(self._spare.values())

    def serve(self, number: int, place: _Place) -> None:
        """Give the conversation to somebody if any arrangement allows it; `number` is its place in the line."""
        candidates = self._candidates(place.waiting)
        free = [person for person in candidates if self._spare[person]]
        if free:
            person, choice = self._best(place.waiting, free)
        else:
            found = self._make_room(candidates)
            if found is None:
                return
            person, choice = found, Choice.MADE_ROOM
        self._give(person, place)
        self._reasons[place.waiting.conversation] = (number, len(candidates), choice)
        self.room -= 1

    def matches(self, now: datetime) -> list[Match]:
        """Return what was given, in order of service."""
        made = [
            (self._reasons[conversation], person, place)
            for person, given in self._given.items()
            for conversation, place in given.items()
        ]
        return [
            Match(
                place.waiting.conversation,
                person,
                Reason(
                    turn=place.turn,
                    choice=choice,
                    place=number,
                    waited_s=place.waited_s,
                    weight=place.weight,
                    due_in_s=(place.due_at - now).total_seconds(),
                    candidates=candidates,
                ),
            )
            for (number, candidates, choice), person, place in sorted(made, key=lambda row: row[0][0])
        ]

    def _candidates(self, one: Waiting) -> list[str]:
        """Return who may serve `one`, spare capacity or not, except those known to be full for this round."""
        capable = self._capable.get(one.skills)
        if capable is None:
            capable = tuple(a.person for a in self._staff if one.skills <= a.skills and a.capacity > a.load)
            self._capable[one.skills] = capable
        return [person for person in capable if person not in one.refused and person not in self._full]

    def _best(self, one: Waiting, free: list[str]) -> tuple[str, Choice]:
        if one.owner in free:
            return one.owner, Choice.OWNER
        return min(free, key=lambda p: (self._load[p] / self._capacity[p], self._rank[p])), Choice.LEAST_LOADED

    def _make_room(self, candidates: list[str]) -> str | None:
        """Pass conversations of this round on, as few as possible, until a candidate has room; None if nobody can."""
        came_from: dict[str, tuple[str, _Place] | None] = dict.fromkeys(candidates)
        line = deque(candidates)
        while line:
            person = line.popleft()
            for place in self._given[person].values():
                others = self._candidates(place.waiting)
                free = [other for other in others if self._spare[other]]
                if free:
                    taker, choice = self._best(place.waiting, free)
                    return self._pass_on(person, place, taker, choice, came_from)
                for other in others:
                    if other not in came_from:
                        came_from[other] = (person, place)
                        line.append(other)
        self._full |= came_from.keys()
        return None

    def _pass_on(
        self,
        giver: str,
        place: _Place,
        taker: str,
        choice: Choice,
        came_from: Mapping[str, tuple[str, _Place] | None],
    ) -> str:
        """Move `place` from `giver` to `taker`, and so on back along the path; return who has room at its beginning."""
        while True:
            del self._given[giver][place.waiting.conversation]
            self._spare[giver] += 1
            self._load[giver] -= 1
            self._give(taker, place)
            number, count, _ = self._reasons[place.waiting.conversation]
            self._reasons[place.waiting.conversation] = (number, count, choice)
            step = came_from[giver]
            if step is None:
                return giver
            taker, choice, (giver, place) = giver, Choice.MADE_ROOM, step

    def _give(self, person: str, place: _Place) -> None:
        self._given[person][place.waiting.conversation] = place
        self._spare[person] -= 1
        self._load[person] += 1
