"""The published record of a draw: with its frame, all that is needed to run it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from services.qa.domain.draw import Pick, UnitResult, commitment_of, seed_of
from services.qa.domain.frame import Frame

FORMAT: Final = "KEFU-DRAW-1"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a draw was made of. Instants are ISO 8601 in UTC; `frozen_after` is what the commitment had to precede."""

    kind: str
    secret: bytes
    committed_at: str
    frozen_after: str
    per_unit: int
    extras: int
    rule: str
    profile_version: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """A recording that could not be reviewed, why, and which one took its place (None: the unit had no more)."""

    recording: str
    unit: str
    reason: str
    replacement: str | None


def to_json(
    facts: Facts,
    frame: Frame,
    picks: Sequence[Pick],
    units: Sequence[UnitResult],
    replacements: Sequence[Replacement],
) -> dict[str, Any]:
    """The record as plain values."""
    return {
        "format": FORMAT,
        "site": frame.header["site"],
        "period_start": frame.header["period_start"],
        "period_end": frame.header["period_end"],
        "kind": facts.kind,
        "rule": facts.rule,
        "profile_version": facts.profile_version,
        "per_unit": facts.per_unit,
        "extras": facts.extras,
        "commitment": commitment_of(facts.secret),
        "committed_at": facts.committed_at,
        "frozen_after": facts.frozen_after,
        "secret": facts.secret.hex(),
        "frame_sha256": frame.sha256,
        "seed": seed_of(facts.secret, frame.sha256).hex(),
        "units": [
            {"unit": one.unit, "size": one.size, "wanted": one.wanted, "drawn": one.drawn, "shortfall": one.shortfall}
            for one in units
        ],
        "selected": [
            {
                "recording": frame.recording(pick.row),
                "kind": pick.kind,
                "unit": pick.unit,
                "person": frame.person(pick.row),
                "channel": frame.channel(pick.row),
                "probability": pick.probability,
            }
            for pick in picks
        ],
        "replacements": [asdict(one) for one in replacements],
    }
