"""What a PromQL expression asks for: metrics with the labels that it names, held against the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import promql_parser

from grafana import rules
from services.kit.telemetry.metrics import CATALOGUE, Declared, read_catalogue

# Labels that scraping adds, and those of rules and of Prometheus's own series.
SCRAPED = {"job", "instance", "namespace", "pod"}
PROMETHEUS = {"up": set[str](), "ALERTS": {"alertname", "alertstate", "severity"}}
_PARTS = re.compile("_(bucket|count|sum)$")


@cache
def recorded() -> frozenset[str]:
    """The names that recording rules make."""
    import yaml

    texts = rules.files(rules.read()).values()
    groups = [group for text in texts for group in yaml.safe_load(text)["groups"]]
    return frozenset(rule["record"] for group in groups for rule in group["rules"] if "record" in rule)


@cache
def exposed() -> Mapping[str, Declared]:
    """The catalogue."""
    return read_catalogue(CATALOGUE)


def selectors(expression: str) -> Iterator[Any]:
    """Every vector selector of an expression; raises when it does not parse."""
    yield from _walk(promql_parser.parse(expression))


def _walk(node: Any) -> Iterator[Any]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    elif isinstance(node, promql_parser.MatrixSelector):
        yield node.vector_selector
    else:
        for name in ("expr", "lhs", "rhs", "param"):
            child = getattr(node, name, None)
            if child is not None:
                yield from _walk(child)
        for child in getattr(node, "args", None) or ():
            yield from _walk(child)


def faults(expression: str) -> list[str]:
    """What an expression asks for that nothing exposes."""
    catalogue, known = exposed(), recorded()
    found = []
    for selector in selectors(expression):
        named = {one.name for one in selector.matchers.matchers if one.name != "__name__"}
        if selector.name in known:
            continue
        if selector.name in PROMETHEUS:
            unknown = named - SCRAPED - PROMETHEUS[selector.name]
        elif (declared := _declared(catalogue, selector.name)) is None:
            found.append(f"nothing exposes {selector.name}")
            continue
        else:
            unknown = named - SCRAPED - set(declared.labels) - {"le"}
            found += _values(declared, selector)
        found += [f"{selector.name} has no label {label}" for label in sorted(unknown)]
    return found


def _declared(catalogue: Mapping[str, Declared], name: str) -> Declared | None:
    found = catalogue.get(name)
    if found is not None and found.type != "histogram":
        return found
    base = catalogue.get(_PARTS.sub("", name))
    return base if base is not None and base.type == "histogram" and name != base.name else None


def _values(declared: Declared, selector: Any) -> Iterator[str]:
    """Closed label values that do not exist, and edges of histograms that are none: both give silence, not an error."""
    for one in selector.matchers.matchers:
        allowed = declared.labels.get(one.name)
        if one.name == "le":
            allowed = tuple(f"{edge:.1f}" if edge == int(edge) else f"{edge:g}" for edge in declared.buckets)
        if allowed is not None and "$" not in one.value:
            wanted = one.value.split("|")
            yield from (f"{declared.name}: {one.name}={value!r} is none" for value in wanted if value not in allowed)
