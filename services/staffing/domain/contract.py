"""How much somebody works, with whom they learn, and what is known of single days."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

WISH_WEIGHT: Final = 40
"""What a wish that is not kept costs unless it says otherwise."""
_SHIFT: Final = re.compile(r"[A-Z][A-Z0-9_]{0,31}@[0-9]{4}")


class MarkKind(StrEnum):
    """What is known of a day."""

    LEAVE = "LEAVE"
    FIXED = "FIXED"
    WISH = "WISH"


@dataclass(frozen=True, slots=True)
class Mark:
    """A day of a person; `shift` such as "EARLY@0830", "OFF", in a wish "ANY", and empty for leave."""

    day: date
    kind: MarkKind
    shift: str = ""
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Contract:
    """Minutes of work a week, the mentor of somebody not yet certified, and marks."""

    least: int
    most: int
    mentor: str = ""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift in instants of UTC; `day` is the day of the site on which it begins."""

    person: str
    day: date
    start: datetime
    end: datetime
    break_start: datetime | None
    break_minutes: int
    activity: str


def faults(contract: Contract) -> Iterator[tuple[str, str]]:
    """What is wrong with a contract: field, and what to do."""
    if contract.least > contract.most:
        yield "contract.week_minutes_least", "is above week_minutes_most"
    twice = Counter((mark.day, mark.kind) for mark in contract.marks)
    for (day, kind), count in twice.items():
        if count > 1:
            yield "contract.marks", f"{day} has {count} marks {kind}; leave one"
    for mark in contract.marks:
        known = mark.shift == "OFF" or _SHIFT.fullmatch(mark.shift) or (mark.shift, mark.kind) == ("ANY", MarkKind.WISH)
        if (mark.kind is MarkKind.LEAVE) == bool(mark.shift) or (mark.shift and not known):
            yield "contract.marks", f"{mark.day} {mark.kind}: name a shift such as EARLY@0830, OFF, or ANY in a wish"


def changed(before: Sequence[Shift], after: Sequence[Shift]) -> list[tuple[Shift | None, Shift | None]]:
    """Shifts that differ, each as (before, after) of the same person and day."""
    old = {(one.person, one.day): one for one in before}
    new = {(one.person, one.day): one for one in after}
    keys = sorted({*old, *new})
    return [(old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]
