"""One day of a call log as a script for a replay: who calls when, how long they would wait, who is at the desk when."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.policy.profile import Profile
from services.simulate import patience as patiences
from services.simulate.calllog import Call, CallLog, Malformed
from services.simulate.patience import Patience
from services.simulate.shifts import Shift, shifts

PHONE = "PHONE"
# The log's priority of the customers whom the bank put ahead; 0 (unidentified) and 1 wait in order.
AHEAD = 2


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller of the script. `arrival` is seconds after midnight; `patience`, `service` are seconds.

    `patience` counts from the arrival; `rating` is 0 for who gives none.
    """

    key: str
    customer: str
    tier: str
    queue: str
    arrival: int
    patience: int
    service: int
    rating: int


@dataclass(frozen=True, slots=True)
class Day:
    """A day's script, and the log's calls that it was made from."""

    date: date
    callers: tuple[Caller, ...]
    shifts: tuple[Shift, ...]
    calls: tuple[Call, ...]
    malformed: tuple[Malformed, ...]
    phantoms: int
    left_in_vru: int


def script(log: CallLog, day: date, profile: Profile, *, seed: int, patience: Patience | None = None) -> Day:
    """The script of one day at a site. The same seed gives the same script, whatever else is replayed.

    Who hung up waits exactly as long as in the log; who was answered draws a patience from the whole log's, given that
    it exceeds the observed wait. Who hung up and is answered this time draws a service time of the same type and day.
    """
    calls = log.of(day)
    fitted = patience or patiences.fit(log.calls)
    offered = tuple(call for call in calls.calls if call.answered or call.abandoned)
    queues = _queues(profile, {call.type for call in offered})
    services: dict[str, list[int]] = defaultdict(list)
    for call in offered:
        if call.answered:
            services[call.type].append(call.service)
    tiers = _tiers(profile)
    callers = tuple(
        _caller(call, fitted, services, queues, tiers, profile, random.Random(f"{seed}/{call.key}"))  # noqa: S311
        for call in sorted(offered, key=lambda call: (call.arrival, call.line))
    )
    return Day(
        date=day,
        callers=callers,
        shifts=tuple(_at(shift, queues) for shift in shifts(offered)),
        calls=offered,
        malformed=calls.malformed,
        phantoms=sum(call.outcome == "PHANTOM" for call in calls.calls),
        left_in_vru=sum(call.left_in_vru for call in calls.calls),
    )


def skills(profile: Profile, shift: Shift) -> list[str]:
    """What somebody must be able to do to take the calls of their shift's queues."""
    return sorted({skill for queue in shift.types for skill in profile.queues[queue].skills})


def _caller(
    call: Call,
    patience: Patience,
    services: Mapping[str, Sequence[int]],
    queues: Mapping[str, str],
    tiers: tuple[str, str],
    profile: Profile,
    draw: random.Random,
) -> Caller:
    uniform = draw.random()
    same = services.get(call.type) or [one for found in services.values() for one in found] or [0]
    service = call.service if call.answered else draw.choice(same)
    rates, score = draw.random() < 0.35, draw.choices((5, 4, 3, 2, 1), (60, 25, 8, 4, 3))[0]
    highest = profile.rating.max if profile.rating else 0
    return Caller(
        key=call.key,
        customer=f"{call.customer}-{call.line}",
        tier=tiers[call.priority >= AHEAD],
        queue=queues[call.type],
        arrival=call.arrival,
        patience=patience.draw(call.wait, uniform) if call.answered else max(1, call.wait),
        service=service,
        rating=min(score, highest) if rates and highest else 0,
    )


def _queues(profile: Profile, types: set[str]) -> dict[str, str]:
    """Queue by call type: the one of that name, where the site has it, else the telephone's (or first) way in."""
    way_in = profile.channels.get(PHONE) or next(iter(profile.channels.values()))
    return {kind: kind if kind in profile.queues else way_in.default_queue for kind in types}


def _tiers(profile: Profile) -> tuple[str, str]:
    """The ordinary tier, and the one that goes ahead: the heaviest that the site has."""
    weights = profile.routing.tier_weights
    ahead = max(weights, key=lambda tier: weights[tier], default=profile.routing.default_tier)
    return profile.routing.default_tier, ahead


def _at(shift: Shift, queues: Mapping[str, str]) -> Shift:
    return Shift(shift.person, frozenset(queues[kind] for kind in shift.types), shift.stretches)
