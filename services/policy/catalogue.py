"""The clause catalogue: what each of the 539 clauses asks for, and the figures that regimes give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from services.kit import yaml_text

REGIMES = ("LIVE", "ONLINE", "TAOBAO-1", "TAOBAO-2", "TAOBAO-3", "TAOBAO-4", "TAOBAO-5", "MALL")


@dataclass(frozen=True, slots=True)
class Figure:
    """What a clause asks of one value of the profile: `how` is "equals", "one_of" or "includes"."""

    path: str
    how: str
    value: Any

    def holds(self, actual: object) -> bool:
        """Whether a plain value of the profile meets it."""
        if self.how == "one_of":
            return actual in self.value
        if self.how == "includes":
            return isinstance(actual, list) and set(self.value) <= set(actual)
        return bool(actual == self.value)

    def example(self) -> Any:
        """A value that meets it."""
        return self.value[0] if self.how == "one_of" else self.value

    def __str__(self) -> str:
        """For people: "300", "MONTH or QUARTER", "at least PERFORMANCE, EXPERIENCE"."""
        if self.how == "one_of":
            return " or ".join(map(str, self.value))
        if self.how == "includes":
            return f"at least {', '.join(map(str, self.value))}"
        return f"[{', '.join(map(str, self.value))}]" if isinstance(self.value, list) else str(self.value)


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause. `profile_key` is the setting that it quantifies; `unquantified` where the text gives no figure."""

    id: str
    regime: str
    summary: str
    kind: str
    service: str
    also: tuple[str, ...]
    profile_key: str
    unquantified: bool
    figures: tuple[Figure, ...]
    truncated: bool
    note: str


@lru_cache(maxsize=1)
def clauses() -> Mapping[str, Clause]:
    """All clauses by id, in document order."""
    text = files("services.policy").joinpath("clauses.yaml").read_text("utf-8")
    return MappingProxyType({entry["id"]: _clause(entry) for entry in yaml_text.load(text)})


def _clause(entry: Mapping[str, Any]) -> Clause:
    figures = tuple(
        Figure(rule["path"], how, rule[how])
        for rule in entry.get("sets", ())
        for how in ("equals", "one_of", "includes")
        if how in rule
    )
    return Clause(
        id=entry["id"],
        regime=entry["regime"],
        summary=entry["summary"],
        kind=entry["kind"],
        service=entry["service"],
        also=tuple(entry.get("also", ())),
        profile_key=entry.get("profile_key", ""),
        unquantified=entry.get("unquantified", False),
        figures=figures,
        truncated=entry.get("truncated", False),
        note=entry.get("note", ""),
    )


def of_regimes(regimes: Iterable[str]) -> list[Clause]:
    """The clauses of some regimes, in document order."""
    wanted = set(regimes)
    return [clause for clause in clauses().values() if clause.regime in wanted]


@lru_cache(maxsize=1)
def bound_keys() -> frozenset[str]:
    """Settings that clauses quantify or ask for: their values carry an origin."""
    return frozenset(clause.profile_key for clause in clauses().values() if clause.profile_key)
