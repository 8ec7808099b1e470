"""`python -m tests.bench.bench_forecast [FILE]`: rolling origin over the last 40 days, beside the plain forecasts."""

from __future__ import annotations

import os
import sys
import time
from datetime import time as clock
from pathlib import Path
from typing import Final

import numpy as np

from services.staffing import calendars
from services.staffing.domain.forecast.backtest import Backtest, backtest, plain_table, wape
from services.staffing.domain.forecast.history import Array
from services.staffing.domain.forecast.outlook import LAGS, covered
from services.staffing.domain.forecast.spread import spread
from services.staffing.files.history import read
from tests.bench.beside import ask
from tests.bench.report import Report, quick

LAST: Final = 40
STATSFORECAST: Final = "statsforecast==2.0.2"
SCRIPT: Final = Path(__file__).with_name("statsforecast_totals.py")
SHARED: Final = Path(os.environ.get("KEFU_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
DATA: Final = SHARED / "data" / "bank_calls_5min_2003-03_2003-08.csv"


def main() -> int:
    """Measure and report."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    if not path.exists():
        print(f"{path} is not there: name a history, make bench-forecast CALLS=history.csv")
        return 2
    report = Report("forecast")
    history = read(path)[0].history
    kinds, name = calendars.kinds(calendars.AUTO, history.days, LAGS[-1])
    began = time.process_time()
    test = backtest(history, LAGS[-1], kinds=kinds, origins=LAST if quick() else 100)
    took = time.process_time() - began
    report.add(
        "back-test, ten days ahead from each origin", took, "CPU s", note=f"calendar {name}, {len(history.days)} days"
    )
    library = _library(test)
    for lag in LAGS:
        for other, made in library.items():
            wapes = wape(made[lag - 1], history.counts[-LAST:])
            report.add(f"{lag} days ahead, totals by {other}, our shapes", wapes, "WAPE %")
        plain = plain_table(history, lag, LAST)
        best = min(plain, key=lambda one: plain[one])
        for other, value in plain.items():
            report.add(f"{lag} days ahead, {other}", value, "WAPE %")
        report.add(
            f"{lag} days ahead, kefu",
            test.wape(lag, LAST),
            "WAPE %",
            floor=plain[best],
            at_most_of_floor=0.85,
            note=f"floor: {best}",
        )
        inside = covered(test, lag, LAST)
        report.add(
            f"{lag} days ahead, within the 80 % interval: from 80 % off by",
            abs(inside - 80),
            "points",
            at_most=6,
            note=f"{inside:.1f} %",
        )
    for lag in LAGS:
        _update(report, test, lag)
    return 0 if report.finish() else 1


def _library(test: Backtest) -> dict[str, Array]:
    """Totals of the last days by a library's models on our shapes, lags × days × slots, by model; empty without it."""
    days, most = len(test.history.days), LAGS[-1]
    origins = list(range(days - LAST - most + 1, days))
    question = {"totals": test.history.totals.tolist(), "origins": origins, "lags": most}
    answer = ask(SCRIPT, STATSFORECAST, question) or {}
    found = {}
    for name, totals in answer.items():
        by = np.array(
            [
                [totals[row - lag + 1 - origins[0]][lag - 1] for row in range(days - LAST, days)]
                for lag in range(1, most + 1)
            ]
        )
        shapes = test.made[:, -LAST:] / test.made[:, -LAST:].sum(axis=2, keepdims=True)
        found[name] = shapes * by[:, :, None]
    return found


def _update(report: Report, test: Backtest, lag: int) -> None:
    """What knowing the day until 11:00 takes off the error of the rest of it, of a forecast made `lag` days before."""
    history, days = test.history, len(test.history.days)
    seen = history.slot_at(clock(11))
    rest, before, after = ([] for _ in range(3))
    for row in range(days - LAST, days):
        made, came = test.at(lag)[row], history.counts[row]
        rest.append(came[seen:])
        before.append(made[seen:])
        after.append(spread(test.until(row), lag).updated(made, came[:seen])[0])
    old, new, true = np.array(before), np.array(after), np.array(rest)
    off = [float(100 * np.abs((one - true).sum(axis=1)).sum() / true.sum()) for one in (new, old)]
    report.add(
        f"rest of the day at 11:00, contacts, forecast of {lag} days before",
        off[0],
        "error %",
        floor=off[1],
        at_most_of_floor=0.75,
        note="floor: not updated",
    )
    # were the rest of the day's contacts known exactly, and only their spread over the intervals forecast
    known = old * (true.sum(axis=1) / old.sum(axis=1))[:, None]
    note = f"floor: not updated; {wape(known, true):.2f} if the rest's sum were known"
    report.add(f"the same, by interval, {lag} days before", wape(new, true), "WAPE %", floor=wape(old, true), note=note)


if __name__ == "__main__":
    sys.exit(main())
