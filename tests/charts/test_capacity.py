"""What the chart asks for fits what was measured (`make capacity`): peaks stay below three fifths of the limits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bench import site_roster
from tests.bench.capacity import FILE, ROLES
from tests.charts.helm import ENVIRONMENTS, containers, render

SHARE = 0.6
UNITS = {"Mi": 1.0, "Gi": 1024.0}
MEASURED: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["points"]


def mebibytes(quantity: str) -> float:
    """A quantity of Kubernetes in MiB."""
    return float(quantity[:-2]) * UNITS[quantity[-2:]]


def memory(process: str, point: dict[str, Any]) -> float:
    """What a process held at a load, in MiB."""
    return float(point["processes"][process]["memory_mib"])


def resources(environment: str, role: str) -> dict[str, Any]:
    """Requests and limits of a role's container."""
    pod = render(environment).of("Deployment")[f"kefu-{role}"]["spec"]["template"]
    found: dict[str, Any] = containers(pod)[-1]["resources"]
    return found


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize(("role", "process"), ROLES.items())
def test_the_peak_is_below_three_fifths_of_the_limit_and_idle_fits_the_request(
    role: str, process: str, environment: str
) -> None:
    given = resources(environment, role)
    peak = max(memory(process, point) for point in MEASURED)
    assert peak < SHARE * mebibytes(given["limits"]["memory"])
    assert memory(process, MEASURED[0]) <= mebibytes(given["requests"]["memory"])


SOLVER: dict[str, Any] = json.loads(site_roster.FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_search_fits_the_solver(environment: str) -> None:
    """Measured by `make bench-site-roster`, because calls do not load it: the process with its searchers."""
    given = resources(environment, "staffing-solve")
    assert SOLVER["memory_mib"] < SHARE * mebibytes(given["limits"]["memory"])


def test_every_workload_was_measured() -> None:
    assert {f"kefu-{role}" for role in (*ROLES, "staffing-solve")} == set(render("default").of("Deployment"))


def test_there_is_an_idle_point_and_loads_that_rise() -> None:
    assert MEASURED[0]["calls"] == 0
    loads = [point["answered"] for point in MEASURED]
    assert len(loads) >= 2
    assert loads == sorted(loads)
