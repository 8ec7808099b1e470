"""pytest plugin behind `@pytest.mark.clause("ONLINE-3.1.1-1")`: this test shows these clauses.

A mark must name clauses of the catalogue and stand on a test of an outer ring, one that calls Kefu through a public
interface. A marked test that passes without such a call fails: it has shown nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from services.policy import catalogue
from tests.clauses import evidence, mutation
from tests.clauses.evidence import Shown
from tests.clauses.interfaces import Calls

RINGS = ("integration", "system", "browser", "clauses")

_calls = Calls()
_found: dict[str, Shown] = {}
_collected: dict[str, set[str]] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Watch the public interfaces; switch settings off where that is asked for."""
    _calls.install()
    keys = mutation.wanted()
    if keys:
        mutating = mutation.Mutating(keys)
        mutating.install()
        config.pluginmanager.register(mutating)


def pytest_unconfigure() -> None:
    """Stop watching."""
    _calls.remove()


@pytest.hookimpl(tryfirst=True)  # before -k and -m leave any out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse marks that cannot count."""
    faults = [f"{item.nodeid}: {fault}" for item in items for fault in _faults(item, config.rootpath)]
    if faults:
        raise pytest.UsageError("\n".join(faults))
    if any("::" in argument for argument in config.args) or config.getoption("lf", False):
        return  # files are read in part only
    for item in items:
        held = _collected.setdefault(item.nodeid.split("::")[0], set())
        if clauses(item):
            held.add(item.nodeid)


def _faults(item: pytest.Item, root: Path) -> list[str]:
    marks = list(item.iter_markers("clause"))
    if not marks:
        return []
    faults = [f"no clause {name!r} in services/policy/clauses.yaml" for name in clauses(item) if not known(name)]
    if not all(mark.args for mark in marks):
        faults.append("the mark names no clause")
    parts = item.path.relative_to(root).parts
    if len(parts) < 2 or parts[0] != "tests" or parts[1] not in RINGS:
        faults.append(f"a clause is shown through a public interface: move the test to tests/{{{','.join(RINGS)}}}")
    return faults


def clauses(item: pytest.Item) -> tuple[str, ...]:
    """The clauses that a test is marked with."""
    return tuple(dict.fromkeys(name for mark in item.iter_markers("clause") for name in mark.args))


def known(name: object) -> bool:
    """Whether the catalogue has a clause."""
    return isinstance(name, str) and name in catalogue.clauses()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Count a test's calls from its own setup on."""
    _calls.reset()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record what a marked test has shown."""
    report = yield
    marked = clauses(item)
    if not marked or report.skipped:
        return report
    if report.when == "call":
        if report.passed and not _calls.count:
            report.outcome = "failed"
            report.longrepr = (
                "marked with a clause, but called no public interface (gRPC, HTTP, a page or the command line)"
            )
        _found[item.nodeid] = Shown(marked, report.outcome, _calls.count)
    elif report.failed:
        _found[item.nodeid] = Shown(marked, "error", _calls.count)
    return report


def pytest_sessionfinish() -> None:
    """Keep the evidence."""
    if _found or any(_collected.values()):
        evidence.add(_found, _collected)
