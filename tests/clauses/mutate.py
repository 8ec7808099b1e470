"""`make clauses-mutate`: switches each tied setting off and expects a test of each of its clauses to fail.

A clause survives when all its tests still pass without the setting that it is bound to: they do not show it. Only tests
that run the services in their own process take part, as a setting is switched off in the process of the test.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.clauses import evidence, mutation
from tests.clauses.evidence import Shown

# Rings whose tests run the services in the process of the test; `system` and `browser` start processes of their own.
REACHED = ("tests/clauses/", "tests/integration/")


def bindings(shown: Iterable[str]) -> dict[str, list[str]]:
    """Setting → the shown clauses that are bound to it."""
    bound: dict[str, list[str]] = {}
    for clause in sorted(shown):
        for setting in mutation.settings_of(clause):
            bound.setdefault(setting, []).append(clause)
    return dict(sorted(bound.items()))


def reached(shown: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Clause → those of its tests that a switched-off setting reaches; a clause without any stays, to be reported."""
    return {clause: [test for test in tests if test.startswith(REACHED)] for clause, tests in shown.items()}


def run(settings: Iterable[str], files: Iterable[str]) -> dict[str, Shown]:
    """Outcomes of the tests of files without each of the settings; pytest shows how far it is."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "clauses.json"
        environment = {**os.environ, mutation.VARIABLE: ",".join(settings), "KEFU_CLAUSES": str(file)}
        options = ("-q", "--tb=no", "--no-summary", "-p", "no:cacheprovider")
        command = [sys.executable, "-m", "pytest", *options, *sorted(set(files))]
        subprocess.run(command, cwd=evidence.ROOT, env=environment, check=False)
        return evidence.read(file)


def verdict(tests: Iterable[str], outcomes: Mapping[str, Shown]) -> str:
    """What became of a clause's tests: "noticed", "survived", or "did not run"."""
    found = [outcomes[test].outcome for test in tests if test in outcomes]
    if "failed" in found:
        return "noticed"
    return "survived" if "passed" in found else "did not run"


def main() -> None:
    """Entry point of `python -m tests.clauses.mutate`; exit code 1 when a clause is not noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", nargs="*", help="only these settings, e.g. sla.handoff_s")
    only = parser.parse_args().settings
    shown = reached(evidence.passing(evidence.read()))
    bound = {key: names for key, names in bindings(shown).items() if not only or key in only}
    tests = {test for names in bound.values() for name in names for test in shown[name]}
    outcomes = run(bound, (test.split("::")[0] for test in tests)) if tests else {}
    missed = 0
    for setting, names in bound.items():
        without = {name: entry for test, entry in outcomes.items() if (name := mutation.plain(test, setting))}
        for name in names:
            result = verdict(shown[name], without)
            missed += result != "noticed"
            print(f"{result:<12} {setting:<34} {name}")
    noticed = sum(map(len, bound.values())) - missed
    print(f"{len(bound)} settings switched off; {noticed} clauses noticed, {missed} not.")
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    main()
