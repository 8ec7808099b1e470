"""`kefu forecast` and `kefu staff` as planners and machines use them."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from services.cli import cli
from services.staffing import calendars
from tests.unit.staffing.contacts import SLOTS, history, weekdays

SHARED = Path(os.environ.get("KEFU_SHARED", Path(__file__).resolve().parents[3].parent / "shared"))
BANK = SHARED / "data" / "bank_calls_5min_2003-03_2003-08.csv"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments])


def written(path: Path, *, days: int, queue: str = "GENERAL", until: int = len(SLOTS)) -> Path:
    known = history(weekdays(days))
    lines = ["start,site,queue,contacts,handling_seconds"]
    for row, day in enumerate(known.days):
        for slot in range(len(SLOTS) if row < days - 1 else until):
            values = (known.counts[row, slot], known.handling[row, slot])
            lines.append(f"{known.start(day, slot):%Y-%m-%d %H:%M},desk,{queue},{values[0]:.0f},{values[1]:.1f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_forecast_for_machines(tmp_path: Path) -> None:
    done = run(
        "forecast", "--history", written(tmp_path / "h.csv", days=50), "--horizon", "2d", "--calendar", "none", "--json"
    )
    assert done.exit_code == 0, done.output
    (series,) = json.loads(done.output)["series"]
    assert (series["site"], series["queue"], series["updated_today"]) == ("desk", "GENERAL", None)
    assert len(series["intervals"]) == 2 * len(SLOTS)
    first = series["intervals"][0]
    assert first["start"] == f"{weekdays(51)[50]}T09:00:00"
    assert first["quantiles"]["0.1"] < first["mean"] < first["quantiles"]["0.9"]
    assert first["handling_seconds"] == pytest.approx(200, rel=0.05)
    assert {row["days_ahead"] for row in series["accuracy"]} == {1, 5, 10}


def test_a_file_that_ends_within_a_day_updates_that_day(tmp_path: Path) -> None:
    done = run("forecast", "--history", written(tmp_path / "h.csv", days=50, until=8), "--horizon", "1d", "--json")
    (series,) = json.loads(done.output)["series"]
    today = str(weekdays(50)[49])
    assert series["updated_today"] == today
    assert series["intervals"][0]["start"] == f"{today}T11:00:00"
    assert len(series["intervals"]) == len(SLOTS) - 8 + len(SLOTS)


def test_a_forecast_for_people(tmp_path: Path) -> None:
    done = run("forecast", "--history", written(tmp_path / "h.csv", days=50))
    assert done.exit_code == 0, done.output
    assert "desk · GENERAL: 50 open days" in done.output
    assert "inside" in done.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: no column for start"),
        ("start,contacts\n", "no line of history"),
        ("start,contacts\n2026-03-02 09:00,x\n", "line 2: contacts 'x' is not a number of 0 or more"),
        ("start,contacts\n2026-03-02 09:00,-4\n", "line 2: contacts '-4'"),
        ("start,contacts\n2026-03-02 09:00,nan\n", "line 2: contacts 'nan'"),
        ("start,contacts\n2026-02-30 09:00,4\n", "line 2: start '2026-02-30 09:00' is not a time"),
        ("start,contacts\n2026-03-02 09:00,4\n2026-03-02 09:00,4\n", "line 3: 2026-03-02 09:00:00 comes twice"),
        ("start,contacts\n2026-03-02 09:00,4,5\n", "line 2: 3 values, the heading names 2"),
        ("start,contacts\n2026-03-02 09:00,\n", "no number of contacts"),
        ("start,contacts\n2026-03-02 09:00,4\n2026-03-02 11:00,4\n", "longer than the 15 minutes"),
        ("start,contacts\n2026-03-02 09:00,4\n2026-03-02 09:15,4\n", "at least 10 are needed"),
    ],
)
def test_a_faulty_history_is_refused_with_line_and_reason(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "h.csv"
    path.write_text(text, encoding="utf-8")
    done = run("forecast", "--history", path)
    assert done.exit_code == 1
    assert words in done.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind,start,end\nlive,2026-03-02 20:00,2026-03-02 19:00\n", "line 2: the event ends before it starts"),
        ("kind,start,lift\nlive,2026-03-02,0\n", "line 2: a lift of 0"),
        ("start\n2026-03-02\n", "no column for kind"),
    ],
)
def test_faulty_events_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "e.csv").write_text(text, encoding="utf-8")
    done = run("forecast", "--history", written(tmp_path / "h.csv", days=20), "--events", tmp_path / "e.csv")
    assert done.exit_code == 1
    assert words in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--horizon", "10"], "not a number of days"), (["--quantiles", "0.5,1.2"], "not a list of shares")],
)
def test_wrong_options_of_a_forecast(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = run("forecast", "--history", written(tmp_path / "h.csv", days=12), *arguments)
    assert done.exit_code == 2
    assert words in done.output


def test_an_unknown_calendar_names_what_there_is(tmp_path: Path) -> None:
    done = run("forecast", "--history", written(tmp_path / "h.csv", days=12), "--calendar", "XX")
    assert done.exit_code == 1
    assert "an ISO code such as CN" in done.output


def test_a_calendar_is_recognised_by_its_closed_days() -> None:
    closed = frozenset(
        {date(2026, 5, 25), date(2026, 6, 19), date(2026, 7, 3)}
    )  # Memorial Day, Juneteenth, 4 July observed
    kinds, name = calendars.kinds("auto", weekdays(100, closed=closed), 10)
    assert name == "US"
    assert kinds(date(2026, 7, 3)).value == "holiday"
    assert calendars.kinds("auto", weekdays(100), 10)[1] == "none"


def test_staff_for_one_queue() -> None:
    common = ("staff", "size", "--contacts", "100", "--interval", "30m", "--handling", "180")
    found = json.loads(run(*common, "--most-occupied", "85", "--shrinkage", "30", "--json").output)
    assert (found["present"], found["scheduled"]) == (14, 20)
    assert found["formula"]["of_offered"] == pytest.approx(0.88835, abs=5e-6)
    assert found["simulated"]["of_offered"] == pytest.approx(0.888, abs=0.005)
    assert found["outside_validated_region"] == []
    shown = run(*common, "--patience", "5", "--present", "3")
    assert "3 people present" in shown.output
    assert "Outside the validated region" in shown.output
    assert "abandoned" in shown.output


def test_staff_for_a_day_by_skill(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text(
        "start,skill,contacts,handling_seconds\n2026-11-26 09:00,A,34,215\n2026-11-26 09:00,B,0,\n", encoding="utf-8"
    )
    found = json.loads(run("staff", "size", "--file", path, "--patience", "120", "--json").output)["intervals"]
    assert [(one["skill"], one["present"]) for one in found] == [("A", 10), ("B", 0)]
    assert "09:00" in run("staff", "size", "--file", path, "--patience", "120").output


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "name either --contacts or --file"),
        (["--contacts", "5", "--target", "120"], 2, "not a percentage"),
        (["--contacts", "5", "--within", "soon"], 2, "not a length of time"),
        (["--contacts", "5", "--shrinkage", "100"], 2, "nobody is ever there"),
        (["--contacts", "5", "--target", "100"], 1, "endless people"),
    ],
)
def test_wrong_questions_about_staff(arguments: list[str], code: int, words: str) -> None:
    done = run("staff", "size", *arguments)
    assert done.exit_code == code
    assert words in done.output


def test_formula_and_simulation_side_by_side() -> None:
    found = json.loads(run("staff", "validate", "--cases", "3", "--contacts", "50000", "--json").output)
    assert len(found["cases"]) == 3
    assert found["worst_points"] == max(abs(v) for one in found["cases"] for v in one["difference_points"].values())


@pytest.mark.skipif(not BANK.exists(), reason=f"{BANK} is not there")
def test_a_bank_is_forecast_better_than_by_any_plain_forecast() -> None:
    (series,) = json.loads(run("forecast", "--history", BANK, "--horizon", "10d", "--json").output)["series"]
    assert series["calendar"] == "US"
    assert series["intervals"][0]["start"] == "2003-09-02T07:00:00"  # 1 September is Labor Day
    for row in series["accuracy"]:
        assert row["wape_percent"] <= 0.85 * min(row["plain_wape_percent"].values())
        assert 74 <= row["inside_80_percent"] <= 86
    assert np.sum([one["mean"] for one in series["intervals"][:57]]) > 38_000
