"""A profile in words: every figure with unit, origin and clauses, and what differs between two versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.policy import catalogue, provenance, schema
from services.policy.loader import Version

PREAMBLE = ("site", "display_name", "regimes", "effective_from", "owner", "timezone", "calendars", "channels", "queues")


@dataclass(frozen=True, slots=True)
class Line:
    """One value: path, plain value, unit, origin ("regime" or "site"), clauses of the composed regimes, reason."""

    path: str
    value: Any
    unit: str
    origin: str
    clauses: tuple[str, ...]
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "path": self.path,
            "value": self.value,
            "unit": self.unit,
            "origin": self.origin,
            "clauses": list(self.clauses),
            "reason": self.reason,
        }


def lines(version: Version) -> list[Line]:
    """Every value of the sections after the preamble, in the order of the contract."""
    regimes = set(version.profile.regimes)
    sections = ((name, content) for name, content in version.values.items() if name not in PREAMBLE)
    return [
        _line(version, path, value, regimes) for name, content in sections for path, value in _leaves(content, name)
    ]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Single values below a path; entries of a list of sections are named: `routing.tiers[VIP].weight`."""
    children = _children(value)
    if children is None:
        yield path, value
        return
    for step, inner in children.items():
        yield from _leaves(inner, path + step)


def _children(value: Any) -> dict[str, Any] | None:
    """What a section or a list of sections holds, by the step that leads there; None for a single value."""
    if isinstance(value, Mapping):
        return {f".{key}": inner for key, inner in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return {f"[{_name(item, index)}]": item for index, item in enumerate(value)}
    return None


def _name(item: Mapping[str, Any], index: int) -> str:
    return str(next((item[key] for key in ("id", "tier", "date", "clock", "rating") if key in item), index))


def _line(version: Version, path: str, value: Any, regimes: set[str]) -> Line:
    reason = provenance.chosen(path, version.choices)
    info = schema.setting_of(path)
    clauses = [catalogue.clauses()[name] for name in info.clauses] if info else []
    clauses = [clause for clause in clauses if clause.regime in regimes]
    setters = [clause for clause in clauses if any(figure.path == path for figure in clause.figures)]
    named = setters or [clause for clause in clauses if not clause.figures]
    by_regime = reason is None and bool(setters)
    return Line(
        path=path,
        value=value,
        unit=schema.unit_of(path),
        origin="regime" if by_regime else "site",
        clauses=tuple(clause.id for clause in named),
        reason=reason or "",
    )


def value_text(value: Any, unit: str) -> str:
    """A value with its unit, for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value_text(item, "") for item in value) or "none"
    if isinstance(value, Mapping):
        return " ".join(f"{key} {value_text(inner, '')}" for key, inner in value.items())
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{shown} {unit}" if unit and isinstance(value, (int, float)) else shown


def differences(old: Version, new: Version) -> Iterator[str]:
    """What the new version changes, one sentence each."""
    for path, sentence in _differences("", old.values, new.values):
        reason = provenance.chosen(path, new.choices)
        yield f"{sentence} The site's own: {reason}." if reason else sentence
    for path in sorted(old.choices.keys() ^ new.choices.keys()):
        if provenance.look_up(old.values, path) == provenance.look_up(new.values, path) is not None:
            whose = f"the site's own now: {new.choices[path]}" if path in new.choices else "the regime's figure now"
            yield f"{path} stays, but is {whose}."


def _differences(path: str, before: Any, after: Any) -> Iterator[tuple[str, str]]:
    old, new = _children(before), _children(after)
    if old is None or new is None:
        sentence = _sentence(path, before, after)
        if sentence:
            yield path, sentence
        return
    for step in sorted(old.keys() | new.keys()):
        yield from _differences((path + step).removeprefix("."), old.get(step), new.get(step))


def _sentence(path: str, before: Any, after: Any) -> str:
    unit = schema.unit_of(path)
    if before == after:
        return ""
    if before is None:
        return f"{path} is new: {value_text(after, unit)}."
    if after is None:
        return f"{path} is gone; it was {value_text(before, unit)}."
    if isinstance(before, list) and isinstance(after, list):
        gained = [item for item in after if item not in before]
        lost = [item for item in before if item not in after]
        parts = [f"gains {value_text(gained, '')}"] * bool(gained) + [f"loses {value_text(lost, '')}"] * bool(lost)
        return f"{path} {' and '.join(parts) or 'is in another order'}."
    verb = "changes"
    if isinstance(before, (int, float)) and isinstance(after, (int, float)) and not isinstance(before, bool):
        verb = "rises" if after > before else "falls"
    return f"{path} {verb} from {value_text(before, unit)} to {value_text(after, unit)}."
