"""Questions about staff, from the contract's words to the maths and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from kefu.staffing.v1 import planning_service_pb2 as api
from kefu.staffing.v1 import roster_pb2

from services.kit.errors import FieldViolation, InvalidArgument
from services.staffing.domain.sizing.answer import Answer, answer
from services.staffing.domain.sizing.erlang import Load, Performance
from services.staffing.domain.sizing.plan import Interval, plan
from services.staffing.domain.sizing.simulate import Simulated
from services.staffing.domain.sizing.size import People, Target, TargetUnreachableError

CONTACTS: Final = 200_000
"""Simulated for one answer: a second at the most."""
_DEFINITIONS: Final = {
    api.SizeStaffRequest.DEFINITION_ANSWERED: "answered",
    api.SizeStaffRequest.DEFINITION_ANY: "any",
}


def size_staff(request: api.SizeStaffRequest) -> api.SizeStaffResponse:
    """People for a promise, or what people achieve. Raises InvalidArgument where no number of people keeps it."""
    people = People(request.concurrency or 1, request.shrinkage)
    try:
        found = answer(_load(request), _target(request), people, present=request.present or None, contacts=CONTACTS)
    except TargetUnreachableError as error:
        raise InvalidArgument(fields=[FieldViolation("contacts", str(error))]) from error
    return _answered(found)


def _load(request: api.SizeStaffRequest) -> Load:
    arrivals = request.contacts / (request.interval_seconds or 900)
    spread = request.handling_cv2 if request.HasField("handling_cv2") else 1.0
    return Load.of(arrivals, request.handling_seconds, request.patience_seconds or math.inf, spread)


def _target(request: api.SizeStaffRequest) -> Target:
    return Target(
        level=request.level or 0.8,
        within=request.within_seconds or 20.0,
        definition=_DEFINITIONS.get(request.definition, "offered"),
        abandoned=request.most_abandoned or 1.0,
        occupancy=request.most_occupied or 1.0,
    )


def _answered(found: Answer) -> api.SizeStaffResponse:
    simulated = found.simulated
    return api.SizeStaffResponse(
        present=found.present,
        scheduled=found.scheduled,
        formula=_figures(found.closed),
        simulated=_figures(simulated) if simulated else None,
        simulated_contacts=simulated.contacts if simulated else 0,
        simulated_error=simulated.error if simulated else 0.0,
        outside_validated_region=found.outside,
    )


def _figures(found: Performance | Simulated) -> api.SizeStaffResponse.Figures:
    wait = float(found.wait)
    return api.SizeStaffResponse.Figures(
        of_offered=float(found.of_offered),
        of_answered=float(found.of_answered),
        any_outcome=float(found.any_outcome),
        abandoned=float(found.abandoned),
        waits=float(found.waits),
        wait_seconds=wait if math.isfinite(wait) else None,
        occupancy=float(found.occupancy),
    )


def size_intervals(intervals: Sequence[Interval], promise: roster_pb2.Promise) -> list[int]:
    """People to schedule in each quarter hour, in order of skill and time. Raises InvalidArgument as `size_staff`."""
    target = Target(level=promise.level or 0.8, within=promise.within_seconds or 20.0, definition="offered")
    try:
        rows = plan(
            intervals,
            interval=900.0,
            patience=promise.patience_seconds or math.inf,
            spread=1.0,
            target=target,
            people=People(promise.concurrency or 1, promise.shrinkage),
            simulated=0,
        )
    except TargetUnreachableError as error:
        raise InvalidArgument(fields=[FieldViolation("requirements", str(error))]) from error
    return [int(row.scheduled) for row in rows]
