"""Malformed files: the line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.staffing.files.table import FileRefusedError
from services.staffing.roster.days import read as day_files
from services.staffing.roster.quarters import read as quarter_files
from tests.unit.staffing.roster.problems import CURTOIS, DAYS, MULTI, benchmarks, quarters, written


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("7\n", "seven\n", 3, "'seven', not a whole number"),
        ("L,480,E", "L,480,X", 6, "unknown shift 'X' may not follow L"),
        ("L,480,E", "E,480,", 6, "shift E comes twice"),
        ("E,480,", "E,,", 5, "the length is missing"),
        ("E=7|L=2", "E=7|L", 8, "'L' is not SHIFT=NUMBER"),
        ("2400,960", "900,960", 8, "at least 960 minutes but at most 900"),
        ("960,5,2,2", "960,1,2,2", 8, "at least 2 consecutive shifts but at most 1"),
        ("Ann,2\n", "Ann,7\n", 11, "the day off is 7, expected 0 to 6"),
        ("Ann,2\n", "Cy,2\n", 11, "unknown person 'Cy'"),
        ("Ann,0,E,3", "Ann,0,N,3", 13, "unknown shift 'N'"),
        ("0,L,1,100,1", "0,E,1,100,1", 18, "comes twice"),
        ("SECTION_COVER", "SECTION_COVERS", 16, "unknown section COVERS"),
        ("SECTION_COVER", "SECTION_STAFF", 16, "comes twice"),
        ("SECTION_HORIZON\n7\n", "", 20, "section HORIZON is missing; is it the right --format?"),
        ("# two", "1\n# two", 1, "before the first SECTION_"),
    ],
)
def test_a_faulty_line_of_a_day_file_is_named(tmp_path: Path, old: str, new: str, line: int, reason: str) -> None:
    path = written(tmp_path, DAYS.replace(old, new, 1))
    with pytest.raises(FileRefusedError) as caught:
        day_files.read(path)
    assert f"line {line}:" in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("1,360,1200", "1,1200,360", "no number of quarter hours lies between 1200 and 360"),
        ("1,360,1200", "2,360,1200", "person 2 comes twice"),
        ("06:00-06:15", "06:00-06:20", "not a quarter hour"),
        ("06:00-06:15", "05:45-06:00", "between 06:00 of day 1 and 06:00 of day 3"),
        ("1,06:00-06:15,1,0,0", "1,06:00-06:15,3,0,0", "the task is 3, expected 1 to 2"),
        ("1,06:00-06:15,1,0,0", "1,06:00-06:15,2,0,0", "comes twice"),
        ("1,06:00-06:15,1,0,0", "1,06:00-06:15,1,2,1", "at least 2 but at most 1"),
    ],
)
def test_a_faulty_line_of_a_quarter_hour_file_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = written(tmp_path, quarters().replace(old, new, 1))
    with pytest.raises(FileRefusedError, match=r"line \d+") as caught:
        quarter_files.read(path)
    assert reason in str(caught.value)


@benchmarks
def test_every_public_file_is_read() -> None:
    for path in sorted(CURTOIS.glob("*.txt")):
        calendar = day_files.read(path)
        assert calendar.days % 7 == 0
        assert calendar.need.sum() > 0
    for path in sorted(MULTI.glob("*.txt")):
        floor = quarter_files.read(path)
        assert len(floor.people) == int(path.name.split("_")[2])
        assert (floor.least <= floor.most).all()
