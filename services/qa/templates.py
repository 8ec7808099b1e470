"""What the regimes ask of service, as criteria of rubrics (rubrics.yaml)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from services.kit import yaml_text
from services.qa.domain.rubric import Criterion, Scale
from services.qa.store.rubrics import Titled

_FILE: Final = Path(__file__).with_name("rubrics.yaml")


def proposed(regimes: Iterable[str], scale: Scale) -> list[Titled]:
    """The criteria of some regimes, weighed alike; the first has what is left over of 100 %."""
    wanted = set(regimes)
    found = [one for one in _criteria() if any(regime_of(clause) in wanted for clause in one.clauses)]
    if not found:
        return []
    weight = round(100 / len(found), 2)
    weights = [round(100 - weight * (len(found) - 1), 2)] + [weight] * (len(found) - 1)
    middle = (scale.worst + scale.best) // 2
    return [
        replace(
            one,
            rule=replace(one.rule, weight=share, comment_at=middle, fails_at=middle if one.rule.critical else 0),
            clauses=tuple(clause for clause in one.clauses if regime_of(clause) in wanted),
        )
        for one, share in zip(found, weights, strict=True)
    ]


def regime_of(clause: str) -> str:
    """The regime of a clause's id: "TAOBAO-3" of "TAOBAO-3-2.1.4", "LIVE" of "LIVE-1.3.1"."""
    first, _, rest = clause.partition("-")
    return f"{first}-{rest.partition('-')[0]}" if first == "TAOBAO" else first


@cache
def _criteria() -> tuple[Titled, ...]:
    document: Any = yaml_text.load(_FILE.read_text(encoding="utf-8"))
    return tuple(
        Titled(
            Criterion(id_, 0.0, critical=bool(one.get("critical")), optional=bool(one.get("optional"))),
            one["zh"],
            one["en"],
            tuple(one["clauses"]),
        )
        for id_, one in document["criteria"].items()
    )
