"""Where each value comes from, checked against the catalogue.

Of every setting that clauses speak of: a value is either the figure of a composed regime, or the site's own and
marked `origin: site` with a reason. What a composed regime leaves without a figure the site must fill itself; a
figure of another regime is never inherited, not even of one that the same site composes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from services.policy import catalogue, schema
from services.policy.catalogue import Clause, Figure
from services.policy.faults import Fault


def check(values: Mapping[str, Any], choices: Mapping[str, str]) -> list[Fault]:
    """Faults of origin. `values`: the profile as plain values; `choices`: path → reason of the site's own values."""
    regimes = [regime.replace("_", "-") for regime in values.get("regimes", ())]
    clauses = [clause for clause in catalogue.of_regimes(regimes) if clause.profile_key]
    faults = {fault.path: fault for fault in _unmarked(values, choices, clauses)}
    for fault in (
        *_missing(values, clauses),
        *_contradicted(values, choices, clauses),
        *_unfilled(values, choices, clauses),
    ):
        faults[fault.path] = fault
    return list(faults.values())


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Single values below a path; a list counts as one value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    else:
        yield path, value


def look_up(values: Mapping[str, Any], path: str) -> Any:
    """The plain value at a dotted path; None where there is none."""
    found: Any = values
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def chosen(path: str, choices: Mapping[str, str]) -> str | None:
    """The reason of the site's choice that covers a path; None where it is not the site's."""
    parts = schema.BRACKETS.sub("", path).split(".")
    for length in range(len(parts), 0, -1):
        reason = choices.get(".".join(parts[:length]))
        if reason is not None:
            return reason
    return None


def _unmarked(values: Mapping[str, Any], choices: Mapping[str, str], clauses: list[Clause]) -> Iterator[Fault]:
    """Values that no composed regime gives and that are not marked as the site's."""
    given = {figure.path for clause in clauses for figure in clause.figures}
    for key in sorted(catalogue.bound_keys()):
        for path, value in leaves(look_up(values, key), key):
            if value is not None and path not in given and chosen(path, choices) is None:
                yield Fault(path, "is no figure of a composed regime", _mark(path, value))


def _missing(values: Mapping[str, Any], clauses: list[Clause]) -> Iterator[Fault]:
    """Figures of composed regimes that the profile does not state."""
    for clause in clauses:
        for figure in clause.figures:
            if look_up(values, figure.path) is None:
                name = figure.path.rsplit(".", 1)[1]
                yield Fault(
                    figure.path, f"is missing: {clause.id} gives {figure}", f"Write `{name}: {_yaml(figure.example())}`"
                )


def _contradicted(values: Mapping[str, Any], choices: Mapping[str, str], clauses: list[Clause]) -> Iterator[Fault]:
    """Values that differ from a regime's figure without being marked."""
    figures: dict[str, list[tuple[Clause, Figure]]] = {}
    for clause in clauses:
        for figure in clause.figures:
            figures.setdefault(figure.path, []).append((clause, figure))
    for path, claims in figures.items():
        value = look_up(values, path)
        broken = [(clause, figure) for clause, figure in claims if not figure.holds(value)]
        if value is None or not broken or chosen(path, choices) is not None:
            continue
        said = "; ".join(f"{clause.id} gives {figure}" for clause, figure in claims)
        common = _common([figure for _, figure in claims])
        if common is not None:
            name = path.rsplit(".", 1)[1]
            write = f"Write `{name}: {_yaml(common)}`; to depart from it openly w{_mark(path, value)[1:]}"
            yield Fault(path, f"is {_yaml(value)}, but {said}", write)
        else:
            yield Fault(
                path, f"regimes disagree ({said})", f"{_mark(path, value)} with the value that the site decides on"
            )


def _common(figures: list[Figure]) -> Any:
    """A value that meets all figures of one path; None where they contradict each other."""
    included = [item for figure in figures if figure.how == "includes" for item in figure.value]
    candidates = [list(dict.fromkeys(included)), *(figure.example() for figure in figures)]
    return next((value for value in candidates if all(figure.holds(value) for figure in figures)), None)


def _unfilled(values: Mapping[str, Any], choices: Mapping[str, str], clauses: list[Clause]) -> Iterator[Fault]:
    """Settings that a composed regime leaves open and that the site did not fill itself."""
    for clause in clauses:
        key = clause.profile_key
        if not clause.unquantified or chosen(key, choices) is not None:
            continue
        if any(path.startswith(f"{key}.") for path in choices):
            continue
        name = key.split(".")[1]
        value = look_up(values, key)
        if value is None:
            reason = f"is missing: {clause.id} speaks of it without a figure"
            yield Fault(key, reason, f"Write `{name}: {{value: …, origin: site, reason: …}}`")
        else:
            reason = f"is not the site's own: {clause.id} gives no figure, and another regime's is not inherited"
            yield Fault(key, reason, _mark(key, value))


def _mark(path: str, value: Any) -> str:
    name = path.rsplit(".", 1)[1]
    return f"Write `{name}: {{value: {_yaml(value)}, origin: site, reason: …}}`"


def _yaml(value: Any) -> str:
    if isinstance(value, (list, Mapping)):
        return "…" if isinstance(value, Mapping) else f"[{', '.join(map(str, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
