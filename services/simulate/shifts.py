"""Who was at work when, read from a call log that names servers but keeps no attendance.

A server's working span of a day is from the first start to the last end of service. Inside it a server is away during
a gap between two calls from the moment when a caller whom the server could serve had waited for `GRACE` seconds, until
the next call: whoever is at the desk takes a waiting caller. Gaps in which nobody waited count as work. See
docs/replay.md for how well that fits the log, and what other rules gave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.simulate.calllog import Call

# After-call work: callers who were waiting when a service ended were taken after 5 s (median).
WRAP_UP = 5
GRACE = 5
RELIEF = "relief"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time at the desk, seconds after midnight."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Shift:
    """One person's day: what they can do, and when they are at the desk; between two stretches lies a break."""

    person: str
    types: frozenset[str]
    stretches: tuple[Stretch, ...]


def shifts(calls: Iterable[Call]) -> list[Shift]:
    """The shifts of one day.

    Rows that were answered by nobody named are staffed by relief people, each for exactly the service that they gave.
    """
    day = list(calls)
    by_server: dict[str, list[Call]] = defaultdict(list)
    for call in day:
        if call.answered:
            by_server[call.server].append(call)
    unnamed = by_server.pop("", [])
    waits = sorted((call.arrival, call.arrival + call.wait, call.type) for call in day if call.queued)
    named = [_shift(server, served, waits) for server, served in sorted(by_server.items())]
    return named + _relief(unnamed)


def _shift(server: str, served: Sequence[Call], waits: Sequence[tuple[int, int, str]]) -> Shift:
    types = frozenset(call.type for call in served)
    concerned = [(begin, end) for begin, end, kind in waits if kind in types]
    services = sorted((call.service_start, call.service_start + call.service) for call in served)
    stretches: list[Stretch] = []
    start, end = services[0]
    for next_start, next_end in services[1:]:
        away = _away_from(end + WRAP_UP, next_start, concerned)
        if away is not None:
            stretches.append(Stretch(start, max(start, away)))
            start = next_start
        end = max(end, next_end)
    stretches.append(Stretch(start, max(end, start + 1)))
    return Shift(server.lower(), types, tuple(stretches))


def _away_from(free: int, next_start: int, waits: Sequence[tuple[int, int]]) -> int | None:
    """When somebody who was free from `free` on left the desk; None when they did not."""
    found: int | None = None
    for begin, end in waits:
        if begin >= next_start:
            break
        ignored = max(begin, free)
        if ignored + GRACE < min(end, next_start - 1):
            found = ignored if found is None else min(found, ignored)
    return found


def _relief(calls: Iterable[Call]) -> list[Shift]:
    """As few relief people as serve these calls without overlap."""
    people: list[list[Call]] = []
    for call in sorted(calls, key=lambda call: (call.service_start, call.line)):
        free = next((p for p in people if p[-1].service_start + p[-1].service + WRAP_UP < call.service_start), None)
        if free is None:
            people.append([call])
        else:
            free.append(call)
    return [
        Shift(
            f"{RELIEF}-{number}",
            frozenset(call.type for call in served),
            tuple(Stretch(call.service_start, call.service_start + max(1, call.service)) for call in served),
        )
        for number, served in enumerate(people, start=1)
    ]
