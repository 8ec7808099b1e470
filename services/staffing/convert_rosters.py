"""Contracts, runs and rosters between the contract's messages and what is stored."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import asyncpg
from kefu.staffing.v1 import roster_pb2 as pb
from kefu.staffing.v1 import roster_service_pb2 as api

from services.kit.errors import InvalidArgument
from services.kit.instants import stamp
from services.policy.profile import Profile
from services.staffing import rostering
from services.staffing.commands.rosters import Wanted
from services.staffing.domain.contract import Contract, Mark, MarkKind, Shift
from services.staffing.roster.check.site import present, works


def contract_from(message: pb.Contract) -> Contract:
    """A contract as a caller says it. Raises InvalidArgument for a day that is none."""
    marks = [
        Mark(day(one.day, "contract.marks"), MarkKind(pb.DayMark.Kind.Name(one.kind)[5:]), one.shift, one.weight)
        for one in message.marks
    ]
    return Contract(message.week_minutes_least, message.week_minutes_most, message.mentor, tuple(marks))


def contract_to(name: str, contract: Contract) -> pb.Contract:
    """A contract."""
    marks = [
        pb.DayMark(
            day=one.day.isoformat(),
            kind=pb.DayMark.Kind.Value(f"KIND_{one.kind}"),
            shift=one.shift,
            weight=one.weight,
        )
        for one in contract.marks
    ]
    return pb.Contract(
        name=name,
        week_minutes_least=contract.least,
        week_minutes_most=contract.most,
        mentor=contract.mentor,
        marks=marks,
    )


def wanted_from(request: api.CreateRosterRunRequest, profile: Profile) -> Wanted:
    """A search as a caller asks for it. Raises InvalidArgument for requirements outside its days, or twice the same."""
    run = request.roster_run
    first, need = day(run.first_day, "roster_run.first_day"), dict[tuple[str, int], int]()
    sized = _sized(request)
    for position, one in enumerate(request.requirements):
        start = one.start.ToDatetime(UTC)
        slot = rostering.slot(profile, first, start)
        if not 0 <= slot < run.days * 96 or start.timestamp() % 900:
            field = f"requirements[{position}].start"
            raise InvalidArgument.field(field, "is no quarter hour of these days", "in_days")
        if (one.skill, slot) in need:
            raise InvalidArgument.field(f"requirements[{position}]", "comes twice", "unique")
        need[one.skill, slot] = one.people or sized.get(position, 0)
    warm = request.warm_start.rpartition("/")[2]
    return Wanted(first, run.days, run.seconds, run.seed, need, warm)


def _sized(request: api.CreateRosterRunRequest) -> dict[int, int]:
    """People for the contacts of each requirement that names no people, by its position."""
    asked = [
        (position, one)
        for position, one in enumerate(request.requirements)
        if not one.people and one.contacts and one.handling_seconds
    ]
    if not asked:
        return {}
    from services.staffing.planning import size_intervals

    asked.sort(key=lambda pair: (pair[1].skill, pair[1].start.ToNanoseconds()))
    intervals = [(one.start.ToDatetime(), one.skill, one.contacts, one.handling_seconds) for _, one in asked]
    people = size_intervals(intervals, request.promise)
    return {position: number for (position, _), number in zip(asked, people, strict=True)}


def shift_from(message: pb.RosterShift, profile: Profile) -> Shift:
    """A shift that a caller gives."""
    start = message.start.ToDatetime(UTC)
    pause = message.break_start.ToDatetime(UTC) if message.HasField("break_start") else None
    begins = start.astimezone(profile.timezone).date()
    end = message.end.ToDatetime(UTC)
    if end <= start:
        raise InvalidArgument.field("shifts", f"a shift of {message.person} ends before it begins", "order")
    return Shift(message.person, begins, start, end, pause, message.break_minutes, message.activity)


def shift_to(shift: Shift) -> pb.RosterShift:
    """A shift."""
    return pb.RosterShift(
        person=shift.person,
        start=stamp(shift.start),
        end=stamp(shift.end),
        break_start=stamp(shift.break_start),
        break_minutes=shift.break_minutes,
        activity=shift.activity,
    )


def run_to(row: asyncpg.Record, profile: Profile, *, whole: bool) -> pb.RosterRun:
    """A run; `whole` with its shifts and cover."""
    verdict = json.loads(row["verdict"]) if row["verdict"] else None
    objective, bound = row["objective"], verdict["bound"] if verdict else row["bound"]
    found = pb.RosterRun(
        name=f"sites/{row['site']}/rosterRuns/{row['run_id']}",
        first_day=row["first_day"].isoformat(),
        days=row["days"],
        seconds=row["seconds"],
        seed=row["seed"],
        state=pb.RosterRun.State.Value(f"STATE_{row['state']}"),
        objective=objective,
        bound=bound,
        gap=gap(objective, bound),
        elapsed_seconds=row["elapsed"],
        creator=row["created_by"],
        create_time=stamp(row["created_at"]),
        fault=row["fault"],
        version=row["version"],
    )
    if verdict:
        _verdict(found, verdict, profile, row["first_day"])
    if whole:
        problem = json.loads(row["problem"])
        roster = json.loads(row["best"])["roster"] if row["best"] else {}
        found.shifts.extend(shift_to(one) for one in rostering.shifts(profile, row["first_day"], roster))
        found.cover.extend(_cover(problem, roster))
    return found


def gap(objective: int | None, bound: float | None) -> float | None:
    """How far above the bound, rounded up to whole weights, an objective is; None before both are known."""
    if objective is None or bound is None:
        return None
    least = math.ceil(bound - 1e-6)
    return max(0.0, (objective - least) / objective) if objective else 0.0


def _verdict(found: pb.RosterRun, verdict: Mapping[str, Any], profile: Profile, first: date) -> None:
    found.costs.extend(pb.RuleCost(rule=rule, cost=cost) for rule, cost in verdict["costs"].items())
    found.broken.extend(verdict["broken"])
    found.certified = verdict["certified"]
    found.conflicts.extend(verdict["conflicts"])
    found.relaxed.extend(verdict["given_up"])
    midnight = datetime.combine(first, time(), profile.timezone)
    for one in verdict["shortfalls"]:
        found.shortfalls.append(
            pb.Shortfall(
                activity=one["activity"],
                start=stamp(midnight + timedelta(minutes=15 * one["start"])),
                end=stamp(midnight + timedelta(minutes=15 * one["end"])),
                missing=one["missing"],
                why_not=[pb.WhyNot(**why) for why in one.get("why_not", ())],
            )
        )


def _cover(problem: Mapping[str, Any], roster: Mapping[str, Any]) -> list[pb.RosterRun.Cover]:
    slots = problem["days"] * 96
    there = present(problem, works(roster))
    found = []
    for name in problem["activities"]:
        need = dict(problem["need"].get(name, ()))
        found.append(
            pb.RosterRun.Cover(
                activity=name,
                required=[need.get(slot, 0) for slot in range(slots)],
                scheduled=[there[name, slot] for slot in range(slots)],
            )
        )
    return found


def roster_to(site: str, row: asyncpg.Record, shifts: Sequence[Shift] = ()) -> pb.Roster:
    """A published roster."""
    return pb.Roster(
        name=f"sites/{site}/rosters/{row['number']}",
        first_day=row["first_day"].isoformat(),
        days=row["days"],
        roster_run=f"sites/{site}/rosterRuns/{row['run_id']}",
        changed_shifts=row["changed"],
        publisher=row["published_by"],
        publish_time=stamp(row["published_at"]),
        shifts=[shift_to(one) for one in shifts],
    )


def day(text: str, field: str) -> date:
    """A day. Raises InvalidArgument."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidArgument.field(field, f"{text!r} is no day", "date") from None
