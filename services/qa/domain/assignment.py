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
    held, given = dict(load), {}
    for sample in samples:
        barred = (excluded or {}).get(sample.recording, ())
        free = [one for one in held if one not in barred and eligible(sample, one, teams=teams, own_team=own_team)]
        chosen = min(free, key=lambda one: (held[one], _lot(sample.recording, one)), default=None)
        given[sample.recording] = chosen
        if chosen is not None:
            held[chosen] += 1
    return given


def _lot(recording: str, reviewer: str) -> bytes:
    return blake2b(f"{recording}\0{reviewer}".encode(), digest_size=8).digest()
