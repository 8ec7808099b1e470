"""`make staffing-model`: simulate cases, fit the correction for cv² other than 1, write correction.json."""

from __future__ import annotations

import dataclasses
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from services.staffing.domain.sizing import correction
from services.staffing.domain.sizing.erlang import Array
from services.staffing.domain.sizing.simulate import Case
from services.staffing.domain.sizing.validation import Comparison, compare, draw, load_of

CASES: Final = 1_000
CONTACTS: Final = 500_000
SEED: Final = 19
RIDGE: Final = 0.3
_MODEL_ERROR: Final = 0.002
TARGET: Final = Path(correction.__file__).with_name("correction.json")


def main() -> int:
    """Fit and write."""
    # half of the cases at the ends of the ranges of cv², where the correction is largest
    cases = [
        dataclasses.replace(case, spread=(0.5, 1.02, 2.0)[number % 3]) if number % 6 < 3 else case
        for number, case in enumerate(draw(CASES, seed=SEED))
    ]
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(_simulated, cases, range(CASES), chunksize=10))
    fitted = {name: fit(found, name) for name in correction.SHARES}
    text = json.dumps({name: [round(float(one), 4) for one in values] for name, values in fitted.items()}, indent=0)
    TARGET.write_text(text + "\n", encoding="utf-8")
    return 0


def fit(found: list[Comparison], name: str) -> Array:
    """Ridge regression of the log-odds that the closed form misses, weighted by how well they are known."""
    planes = [
        correction.features(load_of(one.case), np.array(one.case.slots), np.array(one.case.within)) for one in found
    ]
    closed = np.array([getattr(one.closed, name) for one in found], dtype=float)
    came = np.array([getattr(one.simulated, name) for one in found])
    error = np.array([one.simulated.error for one in found])
    weight = closed * (1 - closed) / np.hypot(error, _MODEL_ERROR)
    plane = np.array(planes) * weight[:, None]
    missed = (correction.log_odds(came) - correction.log_odds(closed)) * weight
    return np.asarray(np.linalg.solve(plane.T @ plane + RIDGE * np.eye(plane.shape[1]), plane.T @ missed))


def _simulated(case: Case, seed: int) -> Comparison:
    return compare(case, seed=seed, contacts=CONTACTS, correct=False)


if __name__ == "__main__":
    sys.exit(main())
