"""People of a site as CSV: who they are, their contracts, leave, fixed days and wishes, a line each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from services.staffing.domain.contract import Contract, Mark, MarkKind, faults
from services.staffing.domain.person import Grade, Profile
from services.staffing.files.table import FileRefusedError, Row, rows

NAMES: Final = {
    "person": ("person", "id", "person_id"),
    "name": ("name", "display_name"),
    "grade": ("grade",),
    "skills": ("skills",),
    "capacity": ("capacity",),
    "certified": ("certified",),
    "least": ("week_hours_least", "least_hours"),
    "most": ("week_hours_most", "most_hours", "week_hours"),
    "mentor": ("mentor",),
    "leave": ("leave",),
    "fixed": ("fixed",),
    "wishes": ("wishes",),
}
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_SKILL: Final = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
_YES: Final = {"yes", "true", "1", "是"}
_NO: Final = {"no", "false", "0", "否", ""}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line that is right."""

    line: int
    person: str
    profile: Profile
    contract: Contract


@dataclass(frozen=True, slots=True)
class Refusal:
    """One line that is not."""

    line: int
    person: str
    reason: str


def read(path: Path) -> Iterator[Entry | Refusal]:
    """Every line, right or refused with its reason. Raises FileRefusedError for a file that is no such table."""
    seen: dict[str, int] = {}
    for row in rows(path, NAMES, ("person", "name", "grade", "skills", "most")):
        person = row.text("person")
        try:
            entry = _entry(row, person)
            if person in seen:
                raise row.refused(f"{person} stands on line {seen[person]} already")
        except FileRefusedError as error:
            yield Refusal(row.line, person, str(error).partition(": ")[2])
        else:
            seen[person] = row.line
            yield entry


def _entry(row: Row, person: str) -> Entry:
    if not _ID.fullmatch(person):
        raise row.refused(f"person {person!r} is not lower-case letters, digits and dashes")
    name, grade = row.text("name"), row.text("grade").upper()
    if not 1 <= len(name) <= 80:
        raise row.refused("the name has 1 to 80 characters")
    if grade not in Grade.__members__:
        raise row.refused(f"grade {grade!r} is none of {', '.join(Grade.__members__)}")
    skills = tuple(sorted({one for one in row.text("skills").split() if one}))
    for skill in skills:
        if not _SKILL.fullmatch(skill):
            raise row.refused(f"skill {skill!r} is not upper-case such as AFTERSALES; put blanks between skills")
    certified = row.text("certified", "yes").lower()
    if certified not in _YES | _NO:
        raise row.refused(f"certified {certified!r} is neither yes nor no")
    capacity = row.number("capacity")
    if capacity is None:
        capacity = 1
    if capacity != int(capacity) or not 1 <= capacity <= 50:
        raise row.refused("capacity is a whole number from 1 to 50")
    profile = Profile(name, Grade(grade), skills, int(capacity), certified in _YES)
    return Entry(row.line, person, profile, _contract(row))


def _contract(row: Row) -> Contract:
    most = row.number("most")
    if most is None or most > 168:
        raise row.refused("week_hours_most is missing or above 168")
    least = row.number("least")
    marks = [*_leave(row), *_days(row, "fixed", MarkKind.FIXED), *_days(row, "wishes", MarkKind.WISH)]
    contract = Contract(
        round(60 * (most if least is None else least)), round(60 * most), row.text("mentor"), tuple(marks)
    )
    wrong = next(faults(contract), None)
    if wrong:
        raise row.refused(" ".join(wrong))
    return contract


def _leave(row: Row) -> Iterator[Mark]:
    """Days or spans: 2026-12-24 2026-12-28/2026-12-31."""
    for part in row.text("leave").split():
        first, _, last = part.partition("/")
        begin, end = _day(row, first), _day(row, last or first)
        if not 0 <= (end - begin).days <= 366:
            raise row.refused(f"leave {part} ends before it begins, or is longer than a year")
        yield from (Mark(begin + timedelta(days=number), MarkKind.LEAVE) for number in range((end - begin).days + 1))


def _days(row: Row, column: str, kind: MarkKind) -> Iterator[Mark]:
    """Day=shift, a wish also with its weight: 2026-12-24=OFF 2026-12-25=EARLY@0830*80."""
    for part in row.text(column).split():
        day, equals, said = part.partition("=")
        shift, _, weight = said.partition("*")
        if not equals or not shift or (weight and not (weight.isascii() and weight.isdigit() and len(weight) < 6)):
            raise row.refused(f"{column}: {part!r} is not DAY=SHIFT or DAY=SHIFT*WEIGHT")
        yield Mark(_day(row, day), kind, shift, int(weight or 0))


def _day(row: Row, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise row.refused(f"{text!r} is no day such as 2026-12-24") from None
