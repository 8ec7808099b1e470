"""`kefu import people`: who is taken over, which lines are refused, and that a second run changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from services.cli import cli
from services.kit.crypto import Keys

SERVICES = ("staffing",)
HEADING = "person,name,grade,skills,certified,week_hours_least,week_hours_most,mentor,leave,fixed,wishes\n"
GOOD = (
    "sun,孙一,JUNIOR,GENERAL,no,40,40,chen,,2026-12-07=EARLY@0800,\n"
    "chen,陈晨,SENIOR,GENERAL AFTERSALES,yes,40,44,,2026-12-24/2026-12-26,,2026-12-31=OFF*80 2026-12-30=ANY\n"
)
BAD = (
    "Li,李,JUNIOR,GENERAL,yes,,40,,,,\n"
    "wu,吴,CAPTAIN,GENERAL,yes,,40,,,,\n"
    "he,何,JUNIOR,general,yes,,40,,,,\n"
    "xu,许,JUNIOR,GENERAL,perhaps,,40,,,,\n"
    "ma,马,JUNIOR,GENERAL,yes,50,40,,,,\n"
    "zhu,朱,JUNIOR,GENERAL,yes,,,,,,\n"
    "hu,胡,JUNIOR,GENERAL,yes,,40,,2026-12-40,,\n"
    "guo,郭,JUNIOR,GENERAL,yes,,40,,,2026-12-07,\n"
    "lin,林,JUNIOR,GENERAL,yes,,40,nobody,,,\n"
    "chen,陈晨,SENIOR,GENERAL,yes,,40,,,,\n"
)


def run(url: str, folder: Path, text: str) -> Result:
    keys, file = folder / "sealing.json", folder / "people.csv"
    if not keys.exists():
        Keys.create(keys, "test")
    file.write_text(text, "utf-8")
    arguments = ["import", "people", str(file), "--site", "online-desk", "--database", url, "--json"]
    return CliRunner().invoke(cli, [*arguments, "--sealing-keys", str(keys)])


def test_people_come_in_once_and_bad_lines_are_named(database_urls: dict[str, str], tmp_path: Path) -> None:
    url = database_urls["staffing"]
    first = run(url, tmp_path, HEADING + GOOD + BAD)
    assert first.exit_code == 1, first.output
    found = json.loads(first.output)
    assert (found["added"], found["changed"], found["same"]) == (2, 0, 0)
    reasons = {one["line"]: one["reason"] for one in found["refused"]}
    assert list(reasons) == list(range(4, 14))
    expected = {
        4: "lower-case",
        5: "grade 'CAPTAIN'",
        6: "skill 'general'",
        7: "neither yes nor no",
        8: "above week_minutes_most",
        9: "week_hours_most is missing",
        10: "'2026-12-40' is no day",
        11: "not DAY=SHIFT",
        12: "NOT_FOUND",
        13: "stands on line 3 already",
    }
    for line, words in expected.items():
        assert words in reasons[line], reasons[line]
    again = run(url, tmp_path, HEADING + GOOD)
    assert again.exit_code == 0, again.output
    assert {**json.loads(again.output), "refused": []} == {"added": 0, "changed": 0, "same": 2, "refused": []}
    changed = run(url, tmp_path, HEADING + GOOD.replace("SENIOR", "INTERMEDIATE"))
    assert json.loads(changed.output)["changed"] == 1


def test_a_file_that_is_no_table_is_refused(database_urls: dict[str, str], tmp_path: Path) -> None:
    refused = run(database_urls["staffing"], tmp_path, "who,what\n1,2\n")
    assert refused.exit_code != 0
    assert "no column for person" in str(refused.exception)
