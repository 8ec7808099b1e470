"""A site's problem as a JSON document, in the words that a run keeps and a file has; days and minutes count from 0."""

from __future__ import annotations

from typing import Final

import msgspec

OFF: Final = "OFF"
ANY: Final = "ANY"
FORMAT: Final = "site"
QUARTER: Final = 15
DAY: Final = 24 * 60


class ShiftWords(msgspec.Struct, forbid_unknown_fields=True):
    """A shift that may be worked on any day; minutes."""

    id: str
    start: int
    minutes: int
    break_minutes: int = 0
    break_lead: int = 0


class WishWords(msgspec.Struct, forbid_unknown_fields=True):
    """A wish; `shift` is an id, "OFF" or "ANY"."""

    day: int
    shift: str
    weight: int


class PersonWords(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody to roster; minutes a week; days from 0; `fixed` and `published` by day, a shift's id or "OFF"."""

    id: str
    activities: list[str]
    least_minutes: int
    most_minutes: int
    leave: list[int] = []
    fixed: dict[int, str] = {}
    wishes: list[WishWords] = []
    published: dict[int, str] = {}
    past: int = 0
    run: int = 0
    free: int = 7 * DAY


class TraineeWords(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody who works a mentor's shifts."""

    id: str
    mentor: str
    leave: list[int] = []


class LimitWords(msgspec.Struct, forbid_unknown_fields=True):
    """The site's hard rules."""

    weekly_rest_minutes: int
    between_minutes: int
    days_in_row: int


class Problem(msgspec.Struct, forbid_unknown_fields=True):
    """A site's problem; `need` is by activity a list of [quarter hour, people]."""

    site: str
    first_day: str
    days: int
    limits: LimitWords
    shifts: list[ShiftWords]
    activities: list[str]
    people: list[PersonWords]
    need: dict[str, list[tuple[int, int]]]
    weights: dict[str, int]
    trainees: list[TraineeWords] = []
    holidays: list[int] = []
    format: str = FORMAT
