"""`make clauses`: how many clauses of each regime and service have a passing test, and which have none."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from services.policy import catalogue
from services.policy.catalogue import Clause
from tests.clauses import evidence

SERVICES = ("intake", "staffing", "qa", "crm", "knowledge", "gateway", "observability", "platform")
WIDTH = 100


def table(shown: Collection[str]) -> Iterable[str]:
    """Lines of shown/all by regime and service."""
    total = Counter((clause.regime, clause.service) for clause in catalogue.clauses().values())
    done = Counter((clause.regime, clause.service) for clause in catalogue.clauses().values() if clause.id in shown)
    yield f"{'':<10}" + "".join(f"{service:>14}" for service in (*SERVICES, "total"))
    for regime in catalogue.REGIMES:
        cells = [(done[regime, service], total[regime, service]) for service in SERVICES]
        yield _row(regime, cells)
    columns = [
        (sum(done[regime, service] for regime in catalogue.REGIMES), sum(total[r, service] for r in catalogue.REGIMES))
        for service in SERVICES
    ]
    yield _row("total", columns)


def _row(name: str, cells: list[tuple[int, int]]) -> str:
    cells = [*cells, (sum(done for done, _ in cells), sum(total for _, total in cells))]
    return f"{name:<10}" + "".join(f"{f'{done}/{total}' if total else '':>14}" for done, total in cells)


def open_clauses(shown: Collection[str]) -> Iterable[str]:
    """The clauses without a passing test, by regime and service, wrapped."""
    for regime in catalogue.REGIMES:
        for service in SERVICES:
            names = [c.id for c in catalogue.clauses().values() if _is(c, regime, service) and c.id not in shown]
            if names:
                yield from textwrap.wrap(f"{regime} {service}: {' '.join(names)}", WIDTH, subsequent_indent="    ")


def _is(clause: Clause, regime: str, service: str) -> bool:
    return clause.regime == regime and clause.service == service


def document(shown: Mapping[str, list[str]]) -> dict[str, object]:
    """The same for machines: each clause with its passing tests."""
    return {
        clause.id: {"regime": clause.regime, "service": clause.service, "tests": shown.get(clause.id, [])}
        for clause in catalogue.clauses().values()
    }


def main() -> None:
    """Entry point of `python -m tests.clauses.report`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="for machines")
    arguments = parser.parse_args()
    found = evidence.read()
    shown = evidence.passing(found)
    if arguments.json:
        print(json.dumps(document(shown), indent=1))
        return
    print("\n".join(table(shown.keys())))
    print("\nWithout a passing test:")
    print("\n".join(open_clauses(shown.keys())))
    failing = sorted(test for test, entry in found.items() if entry.outcome != "passed")
    if failing:
        print("\nMarked, but not passing:", *failing, sep="\n  ")


if __name__ == "__main__":
    main()
