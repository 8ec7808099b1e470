"""Rosters by the written rules: staff follows the work, everybody rests, nobody serves before they may."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from kefu.staffing.v1 import person_pb2
from kefu.staffing.v1 import roster_pb2 as pb
from kefu.staffing.v1 import staffing_service_pb2 as people_api

from services.kit.errors import FailedPrecondition
from tests.integration.staffing.rostering import PARENT, Planner, at, day_of, fresh, shift

SERVICES = ("staffing",)
pytestmark = pytest.mark.timeout(300)


@pytest.mark.clause("ONLINE-5.2.1-1")
async def test_more_people_are_rostered_where_more_customers_come(planner: Planner) -> None:
    """The busy day before a holiday, forecast with twice the contacts of the others, gets more people on duty."""
    first = await planner.first_day(3)
    contacts = [
        pb.Requirement(
            start=at(first, day, 15 * quarter), skill="GENERAL", contacts=14 if day == 4 else 5, handling_seconds=240
        )
        for day in range(5)
        for quarter in range(36, 72)
    ]
    run = await planner.solved(first, requirements=contacts, promise=pb.Promise(patience_seconds=180))
    (general,) = [one for one in run.cover if one.activity == "GENERAL"]
    required = [sum(general.required[96 * day : 96 * day + 96]) for day in range(7)]
    scheduled = [sum(general.scheduled[96 * day : 96 * day + 96]) for day in range(7)]
    assert required[4] > 1.5 * max(required[:4])
    assert scheduled[4] > max(scheduled[:4])


@pytest.mark.clause("ONLINE-5.2.1-2")
async def test_a_roster_without_the_weekly_rest_is_never_published(planner: Planner) -> None:
    """A week in which somebody has no rest in one piece, by the site's eight hours and the law's day, is refused."""
    first = await planner.first_day(4)
    run = await planner.solved(first)
    rest = _longest_rests(run, first)
    assert min(rest.values()) >= 24 * 60, rest
    tired = [shift(first, "gao", day, start) for day, start in enumerate([900, 900, 900, 900, 900, 900, 900])]
    with pytest.raises(FailedPrecondition) as refused:
        await planner.publish(run, shifts=tired)
    assert "free in one piece in the week of" in str(refused.value.metadata)
    assert (await planner.publish(run)).shifts


def _longest_rests(run: pb.RosterRun, first: date) -> dict[str, int]:
    """Minutes of the longest stretch without work within the week, by person, from the shifts alone."""
    found = {}
    for person in {one.person for one in run.shifts}:
        spans = sorted((one.start.seconds, one.end.seconds) for one in run.shifts if one.person == person)
        begins, ends = at(first, 0, 0).seconds, at(first, 7, 0).seconds
        edges = zip([begins, *(end for _, end in spans)], [*(start for start, _ in spans), ends], strict=True)
        found[person] = max(later - earlier for earlier, later in edges) // 60
    return found


@pytest.mark.clause("MALL-5.1.1-3", "ONLINE-5.1.1-3")
async def test_who_has_not_passed_works_beside_a_mentor_or_not_at_all(planner: Planner) -> None:
    first = await planner.first_day(5)
    run = await planner.solved(first)
    days = {person: {day_of(one.start) for one in run.shifts if one.person == person} for person in ("sun", "chen")}
    assert days["sun"] == days["chen"] != set()
    alone = next(day for day in range(7) if first + timedelta(days=day) not in days["chen"])
    with pytest.raises(FailedPrecondition) as refused:
        await planner.publish(run, shifts=[shift(first, "sun", alone)])
    assert "without the mentor chen" in str(refused.value.metadata)
    await _certify(planner, "sun", certified=True)
    solo = await planner.publish(run, shifts=[shift(first, "sun", alone)])
    assert [one.person for one in solo.shifts] == ["sun"]
    await _certify(planner, "sun", certified=False)


async def _certify(planner: Planner, person: str, *, certified: bool) -> None:
    request = people_api.UpdatePersonRequest(
        person=person_pb2.Person(name=f"{PARENT}/people/{person}", certified=certified), request_id=fresh()
    )
    request.person.grade = person_pb2.Person.GRADE_JUNIOR
    request.person.display_name, request.person.capacity = person, 1
    request.update_mask.paths.append("certified")
    await planner.people().UpdatePerson(request)
