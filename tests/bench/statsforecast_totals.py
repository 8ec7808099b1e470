"""Forecasts daily totals with statsforecast, in an interpreter that has it: reads totals and origins, writes forecasts.

It brings compiled dependencies that Kefu does not need, so that the benchmark runs it in an environment of its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from statsforecast.models import MSTL, AutoARIMA, AutoETS

WEEK = 5


def main() -> None:
    """Read {"totals": […], "origins": […], "lags": n}; write {model: [[lag 1, lag 2, …] by origin]}."""
    asked = json.load(sys.stdin)
    totals = np.log(np.array(asked["totals"]))
    models: dict[str, Callable[[], Any]] = {
        "AutoETS": lambda: AutoETS(season_length=WEEK),
        "AutoARIMA": lambda: AutoARIMA(season_length=WEEK),
        "MSTL": lambda: MSTL(season_length=[WEEK], trend_forecaster=AutoETS(model="ZAN")),
    }
    found = {
        name: [np.exp(make().forecast(totals[:one], asked["lags"])["mean"]).tolist() for one in asked["origins"]]
        for name, make in models.items()
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
