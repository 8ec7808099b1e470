"""From people, contracts and a profile to the problem of a roster run, and from its roster to shifts in instants."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from services.policy.calendar import DayKind
from services.policy.profile import Profile, Rostering
from services.staffing.domain.contract import WISH_WEIGHT, Contract, MarkKind, Shift
from services.staffing.domain.person import Grade, Person
from services.staffing.roster.site import words

SUPERVISOR: Final = "SUPERVISOR"
LEADERS: Final = (Grade.SUPERVISOR, Grade.MANAGER)
PAST_DAYS: Final = 28
"""Days back in which nights and weekends count towards fairness."""
WEIGHTS: Final = {"missing": 100, "unsupervised": 200, "surplus": 10, "contract": 4, "fairness": 30, "changed": 60}
_MINUTE: Final = timedelta(minutes=1)


class NothingToRosterError(ValueError):
    """Nobody, or no shift, from which a roster could be made: a field, and what to do."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a site knows when a run is asked for; `standing` from PAST_DAYS before the first day on."""

    profile: Profile
    people: Sequence[Person]
    contracts: Mapping[str, Contract]
    standing: Sequence[Shift] = ()
    covered: Collection[date] = field(default_factory=frozenset)


def problem(known: Known, first: date, days: int, need: Mapping[tuple[str, int], int]) -> words.Problem:
    """The problem; `need` is people by skill and quarter hour of the days. Raises NothingToRosterError."""
    rules = known.profile.roster
    shifts = shifts_of(rules)
    if not shifts:
        raise NothingToRosterError("shifts in the site's profile (roster.shifts)")
    asked = {skill for skill, _ in need}
    certified = {one.id: one for one in known.people if one.active and one.profile.certified}
    activities = sorted(asked) + ([SUPERVISOR] if rules.supervisor_present else [])
    entries = [_person(known, one, first, days, activities, shifts) for one in certified.values()]
    able = [one for one in entries if one.activities]
    held = {name for one in able for name in one.activities}
    if lacking := sorted(asked - held):
        raise NothingToRosterError(f"somebody certified with a contract and the skill {', '.join(lacking)}")
    _fairness(known, first, able)
    needed: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for (skill, slot), people in sorted(need.items()):
        needed[skill].append((slot, people))
    if rules.supervisor_present:
        needed[SUPERVISOR] = [(slot, 1) for slot in sorted({slot for (_, slot), people in need.items() if people})]
    trainees = _trainees(known, first, days, {one.id for one in able})
    _no_more_than_trainees(known, able, trainees)
    return words.Problem(
        site=known.profile.site,
        first_day=first.isoformat(),
        days=days,
        limits=words.LimitWords(rules.weekly_rest_h * 60, rules.rest_between_h * 60, rules.most_days_in_row),
        shifts=shifts,
        activities=activities,
        people=able,
        need=dict(needed),
        weights=dict(WEIGHTS),
        trainees=trainees,
        holidays=[day for day in range(days) if _holiday(known.profile, first + timedelta(days=day))],
    )


def shifts_of(rules: Rostering) -> list[words.ShiftWords]:
    """Every shift of the site's patterns; a break lies in the middle half of its shift."""
    found = []
    for pattern in rules.shifts:
        lead = (pattern.minutes - pattern.break_min) // 4 // words.QUARTER * words.QUARTER if pattern.break_min else 0
        for start in pattern.starts:
            id_ = f"{pattern.id}@{start // 60:02}{start % 60:02}"
            found.append(words.ShiftWords(id_, start, pattern.minutes, pattern.break_min, lead))
    return found


def _person(
    known: Known,
    person: Person,
    first: date,
    days: int,
    activities: Sequence[str],
    shifts: Sequence[words.ShiftWords],
) -> words.PersonWords:
    contract = known.contracts.get(person.id)
    leads = person.profile.grade in LEADERS
    skills = {*person.profile.skills, *([SUPERVISOR] if leads else [])} if contract else set()
    before = [one for one in known.standing if one.person == person.id and one.day < first]
    run, free = _behind(known, before, first)
    found = words.PersonWords(
        id=person.id,
        activities=[one for one in activities if one in skills],
        least_minutes=contract.least if contract else 0,
        most_minutes=min(contract.most, known.profile.roster.most_hours_week * 60) if contract else 0,
        published=_published(known, person.id, first, days, shifts),
        run=run,
        free=free,
    )
    there = {"", words.OFF, words.ANY, *(shift.id for shift in shifts)}
    for mark in contract.marks if contract else ():
        day = (mark.day - first).days
        if not 0 <= day < days or mark.shift not in there:
            continue
        if mark.kind is MarkKind.LEAVE:
            found.leave.append(day)
        elif mark.kind is MarkKind.FIXED:
            found.fixed[day] = mark.shift
        else:
            found.wishes.append(words.WishWords(day, mark.shift, mark.weight or WISH_WEIGHT))
    return found


def _published(known: Known, person: str, first: date, days: int, shifts: Sequence[words.ShiftWords]) -> dict[int, str]:
    """What stands for a person on the days of the run, so that a new roster changes little."""
    zone, found = known.profile.timezone, dict[int, str]()
    patterns = {(one.start, one.minutes): one.id for one in shifts}
    ours = {one.day: one for one in known.standing if one.person == person}
    for number in range(days):
        day = first + timedelta(days=number)
        if day not in known.covered:
            continue
        shift = ours.get(day)
        if shift is None:
            found[number] = words.OFF
            continue
        start = shift.start.astimezone(zone)
        key = (60 * start.hour + start.minute, round((shift.end - shift.start) / _MINUTE))
        if key in patterns:  # else the site has no such shift any more
            found[number] = patterns[key]
    return found


def _behind(known: Known, before: Sequence[Shift], first: date) -> tuple[int, int]:
    """Days worked in a row up to the first day, and minutes without work before it."""
    worked, run = {one.day for one in before}, 0
    while first - timedelta(days=run + 1) in worked:
        run += 1
    midnight = datetime.combine(first, time(), known.profile.timezone)
    free = min((round((midnight - one.end) / _MINUTE) for one in before), default=7 * words.DAY)
    return run, min(free, 7 * words.DAY)


def _fairness(known: Known, first: date, people: Sequence[words.PersonWords]) -> None:
    """Nights, weekends and holidays of the past weeks, beyond those of whoever had fewest."""
    zone, count = known.profile.timezone, Counter[str]()
    for one in known.standing:
        start, last = one.start.astimezone(zone), (one.end - _MINUTE).astimezone(zone)
        night = start.hour < 6 or start.hour >= 22 or last.date() > start.date() or last.hour >= 22
        if one.day < first and (night or one.day.weekday() > 4 or _holiday(known.profile, one.day)):
            count[one.person] += 1
    fewest = min(count[one.id] for one in people)
    for entry in people:
        entry.past = count[entry.id] - fewest


def _trainees(known: Known, first: date, days: int, able: Collection[str]) -> list[words.TraineeWords]:
    found = []
    for one in known.people:
        contract = known.contracts.get(one.id)
        if one.active and not one.profile.certified and contract and contract.mentor in able:
            away = [(mark.day - first).days for mark in contract.marks if mark.kind is MarkKind.LEAVE]
            found.append(words.TraineeWords(one.id, contract.mentor, [day for day in away if 0 <= day < days]))
    return found


def _no_more_than_trainees(
    known: Known, people: Sequence[words.PersonWords], trainees: Sequence[words.TraineeWords]
) -> None:
    """A mentor works no longer weeks than a trainee may, whose shifts are theirs."""
    by_id = {one.id: one for one in people}
    for trainee in trainees:
        mentor = by_id[trainee.mentor]
        mentor.most_minutes = min(mentor.most_minutes, known.contracts[trainee.id].most)
        mentor.least_minutes = min(mentor.least_minutes, mentor.most_minutes)


def _holiday(profile: Profile, day: date) -> bool:
    """Whether one of the site's calendars has a public holiday then."""
    return any(
        calendar.holidays is not None and calendar.holidays(day) is DayKind.HOLIDAY
        for calendar in profile.calendars.values()
    )


def shifts(profile: Profile, first: date, roster: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Shift]:
    """The shifts of a solution document in instants."""
    found = []
    for person, works in roster.items():
        for work in works:
            day = first + timedelta(days=work["day"])
            begin = datetime.combine(day, time(), profile.timezone) + work["start"] * _MINUTE
            pause = begin + work["break_start"] * _MINUTE if work["break_minutes"] else None
            end = begin + work["minutes"] * _MINUTE
            found.append(Shift(person, day, begin, end, pause, work["break_minutes"], work["activity"]))
    return found


def document(profile: Profile, first: date, shifts: Sequence[Shift]) -> dict[str, list[dict[str, Any]]]:
    """Shifts in instants as a solution document has them."""
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in shifts:
        begin = one.start.astimezone(profile.timezone).replace(tzinfo=None)
        end = one.end.astimezone(profile.timezone).replace(tzinfo=None)
        pause = one.break_start.astimezone(profile.timezone).replace(tzinfo=None) if one.break_start else begin
        found[one.person].append(
            {
                "day": (begin.date() - first).days,
                "start": 60 * begin.hour + begin.minute,
                "minutes": round((end - begin) / _MINUTE),
                "break_start": round((pause - begin) / _MINUTE),
                "break_minutes": one.break_minutes if one.break_start else 0,
                "activity": one.activity,
            }
        )
    return dict(found)


def slot(profile: Profile, first: date, instant: datetime) -> int:
    """The quarter hour of an instant, from the first midnight on."""
    local = instant.astimezone(profile.timezone).replace(tzinfo=None)
    return math.floor((local - datetime.combine(first, time())) / (words.QUARTER * _MINUTE))
