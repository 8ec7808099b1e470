"""Small problems in the formats of the benchmarks, and the benchmarks themselves where they are present."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

SHARED: Final = Path(os.environ.get("KEFU_SHARED", Path(__file__).resolve().parents[4].parent / "shared"))
CURTOIS: Final = SHARED / "bench" / "curtois"
MULTI: Final = SHARED / "bench" / "multi_activity"
benchmarks = pytest.mark.skipif(not CURTOIS.is_dir(), reason="the public benchmark files lie beside the checkout only")

DAYS: Final = """\
# two people, a week, early and late
SECTION_HORIZON
7
SECTION_SHIFTS
E,480,
L,480,E
SECTION_STAFF
Ann,E=7|L=2,2400,960,5,2,2,1
Bo,E=1|L=7,1920,480,4,1,1,1
SECTION_DAYS_OFF
Ann,2
SECTION_SHIFT_ON_REQUESTS
Ann,0,E,3
SECTION_SHIFT_OFF_REQUESTS
Bo,5,L,2
SECTION_COVER
0,E,1,100,1
0,L,1,100,1
3,E,1,50,2
4,L,2,30,1
5,E,1,20,1
6,L,1,10,1
"""


def quarters(*, days: int = 2, tasks: int = 2, people: str = "1,360,1200\n2,720,1500\n3,360,600") -> str:
    """A floor with one person needed at task 1 from 08:00 to 16:00 of the first day."""
    lines = [f"SECTION_HORIZON\n{days}\nSECTION_TASKS\n{tasks}\nSECTION_STAFF\n{people}\nSECTION_COVER"]
    for day in range(1, days + 2):
        for quarter in range(96):
            if not 24 <= (day - 1) * 96 + quarter < days * 96 + 24:
                continue
            start, end = quarter * 15, (quarter + 1) * 15 % 1440
            clock = f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
            for task in range(1, tasks + 1):
                needed = int(task == 1 and day == 1 and 32 <= quarter < 64)
                lines.append(f"{day},{clock},{task},{needed},{needed}")
    return "\n".join(lines) + "\n"


def written(folder: Path, text: str, name: str = "problem.txt") -> Path:
    """A file of the text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
