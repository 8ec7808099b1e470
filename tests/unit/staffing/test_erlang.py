"""Erlang B, C and A against published values."""

from __future__ import annotations

import numpy as np
import pytest

from services.staffing.domain.sizing.erlang import Load, erlang_b, erlang_c
from services.staffing.domain.sizing.performance import performance
from services.staffing.domain.sizing.size import People, Target, size

HELP_DESK = 100 / 1_800, 180.0
"""100 calls in half an hour, three minutes each."""


def test_erlang_b_of_one_erlang() -> None:
    assert erlang_b([1, 2], 1.0) == pytest.approx([0.5, 0.2], abs=1e-12)


def test_erlang_b_follows_its_recursion_for_large_systems() -> None:
    blocked, load = 1.0, 950.0
    for servers in range(1, 1_001):
        blocked = load * blocked / (servers + load * blocked)
    assert erlang_b(1_000, load) == pytest.approx(blocked, rel=1e-9)


def test_erlang_c_of_a_help_desk() -> None:
    load = Load.of(*HELP_DESK)
    people = size(load, Target(0.8, 20, occupancy=0.85))
    assert people == 14
    assert People(shrinkage=0.3).scheduled(people) == 20
    found = performance(load, 14, 20)
    assert found.of_offered == pytest.approx(0.88835, abs=5e-6)
    assert erlang_c(14, 10.0) == pytest.approx(0.17413, abs=5e-6)
    assert found.occupancy == pytest.approx(0.714, abs=5e-4)


def test_erlang_c_and_a_of_gans_koole_and_mandelbaum() -> None:
    patient, impatient = performance(Load.of(0.8, 60), 50, 20), performance(Load.of(0.8, 60, 120), 50, 20)
    assert patient.wait == pytest.approx(20.8, abs=0.05)
    assert impatient.abandoned == pytest.approx(0.030912, abs=5e-7)
    assert impatient.wait == pytest.approx(3.7095, abs=5e-5)
    assert impatient.waits == pytest.approx(0.467774, abs=5e-7)
    assert impatient.of_offered == pytest.approx(0.943019, abs=5e-7)


def test_a_service_level_has_three_names() -> None:
    found = performance(Load.of(*HELP_DESK, 300), 14, 20)
    assert found.waits == pytest.approx(0.14526, abs=5e-6)
    assert found.abandoned == pytest.approx(0.013984, abs=5e-7)
    assert found.level("offered") == pytest.approx(0.916792, abs=5e-7)
    assert found.level("any") == pytest.approx(0.923956, abs=5e-7)
    assert found.level("answered") == pytest.approx(0.929794, abs=5e-7)


def test_very_patient_customers_make_erlang_c() -> None:
    patient, nearly = performance(Load.of(0.8, 60), 50, 20), performance(Load.of(0.8, 60, 5e6), 50, 20)
    assert nearly.of_offered == pytest.approx(patient.of_offered, abs=1e-4)
    assert nearly.wait == pytest.approx(patient.wait, rel=1e-2)


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_extremes_stay_shares(spread: float) -> None:
    servers = np.array([1.0, 2, 50, 360, 5_000])
    with np.errstate(all="ignore"):
        found = performance(Load.of(2.0, 180, 300, spread), servers, 20)
    for name in ("waits", "abandoned", "of_offered", "of_answered", "any_outcome"):
        assert ((getattr(found, name) >= 0) & (getattr(found, name) <= 1)).all(), name
    assert found.abandoned[0] == pytest.approx(1 - 1 / 360, abs=1e-3)  # one server serves at its own pace
    assert found.of_offered[-1] == pytest.approx(1)
