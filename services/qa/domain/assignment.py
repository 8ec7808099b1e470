"""Who reviews which recording: balanced, and nobody themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class Sample:
    """A recording to review, whose it is, and the team of that person (empty: none)."""

    recording: str
    person: str
    team: str = ""


def eligible(sample: Sample, reviewer: str, *, teams: Mapping[str, str], own_team: bool) -> bool:
    """Whether somebody may review it: never oneself, and one's own team only where the profile lets them."""
    if reviewer == sample.person:
        return False
    return own_team or not sample.team or teams.get(reviewer, "") != sample.team


def assign(
    samples: Sequence[Sample],
    load: Mapping[str, int],
    *,
    teams: Mapping[str, str],
    own_team: bool,
    excluded: Mapping[str, Collection[str]] | None = None,
) -> dict[str, str | None]:
    """Recording → reviewer: the one with least to do among those who may; None where nobody may.

    `load` has what each reviewer holds already; `excluded` names who may not review a recording again. Ties fall by a
    hash of recording and reviewer, so that nobody can arrange to meet somebody, and a repetition gives the same.
    """
    free = {
        sample.recording: [
            one
            for one in load
            if one not in (excluded or {}).get(sample.recording, ())
            and eligible(sample, one, teams=teams, own_team=own_team)
        ]
        for sample in samples
    }
    held = dict(load)
    given: dict[str, str | None] = dict.fromkeys(free)
    # whom few may review first, so that the others level the load
    for recording in sorted(free, key=lambda one: len(free[one])):
        chosen = min(free[recording], key=lambda one: (held[one], _lot(recording, one)), default=None)
        given[recording] = chosen
        if chosen is not None:
            held[chosen] += 1
    return given


def _lot(recording: str, reviewer: str) -> bytes:
    return blake2b(f"{recording}\0{reviewer}".encode(), digest_size=8).digest()
