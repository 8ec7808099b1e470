"""Rosters over the wire: contracts, a run from the queue to its certificate, publishing with notice, calendars."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest
import pytest_asyncio
from kefu.staffing.v1 import roster_pb2 as pb
from kefu.staffing.v1 import roster_service_pb2 as api

from services.kit.db import Database
from services.kit.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from services.staffing.store import rosters as store_rosters
from tests.integration.staffing.rostering import PARENT, Planner, at, day_of, fresh, planning, shift

SERVICES = ("staffing",)
STATES = pb.RosterRun
pytestmark = pytest.mark.timeout(300)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def planner(database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Planner]:
    async with planning(database, tmp_path_factory.mktemp("keys")) as found:
        await found.crew()
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def run(planner: Planner) -> pb.RosterRun:
    """A week that was solved: chen on leave on Tuesday, ding wishes Friday off."""
    first = await planner.first_day(2)
    await planner.contract("chen", pb.DayMark(day=str(first + timedelta(days=1)), kind=pb.DayMark.KIND_LEAVE))
    wish = pb.DayMark(day=str(first + timedelta(days=4)), kind=pb.DayMark.KIND_WISH, shift="OFF", weight=900)
    await planner.contract("ding", wish)
    return await planner.solved(first, seconds=15)


async def test_a_run_ends_with_a_roster_a_bound_and_a_certificate(planner: Planner, run: pb.RosterRun) -> None:
    assert STATES.State.Name(run.state) == "STATE_SUCCEEDED", run.fault
    assert (list(run.broken), run.certified) == ([], True)
    assert run.objective == sum(one.cost for one in run.costs)
    assert run.bound <= run.objective
    assert 0 <= run.gap < 1
    first = date.fromisoformat(run.first_day)
    by_day = defaultdict(set)
    for one in run.shifts:
        by_day[day_of(one.start)].add(one.person)
    assert "chen" not in by_day[first + timedelta(days=1)]
    assert "ding" not in by_day[first + timedelta(days=4)]
    for day, people in by_day.items():
        assert ("sun" in people) == ("chen" in people), day
        assert day.weekday() == 6 or people & {"boss-a", "boss-b"}
    (general,) = [one for one in run.cover if one.activity == "GENERAL"]
    assert len(general.required) == len(general.scheduled) == 7 * 96
    assert general.required[40] == 2


async def test_watching_shows_every_change_until_the_end(planner: Planner) -> None:
    made = await planner.create(await planner.first_day(6))
    assert made.state == STATES.STATE_QUEUED
    seen: list[pb.RosterRun] = []

    async def watch() -> None:
        seen.extend([one async for one in planner.stub().WatchRosterRun(api.GetRosterRunRequest(name=made.name))])

    watching = asyncio.create_task(watch())
    assert await planner.solver.step()
    async with asyncio.timeout(20):
        await watching
    states = [one.state for one in seen]
    assert states[-1] == STATES.STATE_SUCCEEDED
    assert STATES.STATE_RUNNING in states
    assert [one.version for one in seen] == sorted({one.version for one in seen})
    assert any(one.HasField("objective") and one.state == STATES.STATE_RUNNING for one in seen)


async def test_a_cancelled_run_keeps_its_best_and_a_next_one_goes_on_from_it(planner: Planner) -> None:
    first = await planner.first_day(7)
    queued = await planner.create(first)
    cancel = api.CancelRosterRunRequest(name=queued.name, request_id=fresh())
    assert (await planner.stub().CancelRosterRun(cancel)).state == STATES.STATE_CANCELLED
    assert not await planner.solver.step()
    with pytest.raises(FailedPrecondition, match="CANCELLED"):
        await planner.stub().CancelRosterRun(api.CancelRosterRunRequest(name=queued.name, request_id=fresh()))

    made = await planner.create(first, roster_run=pb.RosterRun(first_day=str(first), days=7, seconds=600))

    async def cancel_once_found() -> None:
        async for one in planner.stub().WatchRosterRun(api.GetRosterRunRequest(name=made.name)):
            if one.HasField("objective") and one.state == STATES.STATE_RUNNING:
                request = api.CancelRosterRunRequest(name=made.name, request_id=fresh())
                await planner.stub().CancelRosterRun(request)
                return

    cancelling = asyncio.create_task(cancel_once_found())
    assert await planner.solver.step()
    await cancelling
    ended = await planner.get(made.name)
    assert ended.state in {STATES.STATE_CANCELLED, STATES.STATE_SUCCEEDED}  # proved the best before anybody could
    assert ended.shifts
    warm = await planner.solved(first, warm_start=made.name)
    assert warm.objective <= ended.objective
    with pytest.raises(InvalidArgument, match="warm_start"):
        await planner.create(await planner.first_day(8), warm_start=made.name)


async def test_a_lease_is_held_by_one_and_falls_to_the_next(planner: Planner) -> None:
    made = await planner.create(await planner.first_day(9))
    run_id = made.name.rpartition("/")[2]
    async with planner.database.transaction() as tx:
        row = await store_rosters.claim(tx, "first")
    assert row is not None
    assert row["run_id"] == run_id
    assert not await planner.solver.step()
    await planner.database.execute(
        "UPDATE roster_runs SET lease_until = kefu_now() - interval '1 s' WHERE run_id = $1", run_id
    )
    assert await planner.solver.step()
    key = (row["site"], run_id, "first")
    async with planner.database.transaction() as tx:
        assert await store_rosters.progress(tx, key, 1, 1.0, 1.0, None) is None
        await store_rosters.end(tx, key, "FAILED", None, "late")
    assert (await planner.get(made.name)).state == STATES.STATE_SUCCEEDED


async def test_a_run_that_its_workers_do_not_survive_fails_in_the_end(planner: Planner) -> None:
    made = await planner.create(await planner.first_day(13))
    run_id = made.name.rpartition("/")[2]
    for attempt in range(store_rosters.MOST_ATTEMPTS):
        async with planner.database.transaction() as tx:
            row = await store_rosters.claim(tx, f"worker-{attempt}")
        assert row is not None, "it is taken up again"
        assert row["run_id"] == run_id
        await planner.database.execute(
            "UPDATE roster_runs SET lease_until = kefu_now() - interval '1 s' WHERE run_id = $1", run_id
        )
    assert not await planner.solver.step()
    ended = await planner.get(made.name)
    assert ended.state == STATES.STATE_FAILED
    assert "5 workers" in ended.fault


async def test_a_run_of_which_nothing_can_be_made_fails_with_its_reason(planner: Planner) -> None:
    made = await planner.create(await planner.first_day(14))
    run_id = made.name.rpartition("/")[2]
    spoiled = "UPDATE roster_runs SET problem = jsonb_set(problem::jsonb, '{need}', $2)::text WHERE run_id = $1"
    await planner.database.execute(spoiled, run_id, '{"PIANO": [[1, 1]]}')
    assert await planner.solver.step()
    ended = await planner.get(made.name)
    assert ended.state == STATES.STATE_FAILED
    assert ended.fault


async def test_what_contradicts_gives_way_by_name_and_shortfalls_say_why(planner: Planner) -> None:
    first = await planner.first_day(10)
    tuesday = str(first + timedelta(days=1))
    marks = [
        pb.DayMark(day=tuesday, kind=pb.DayMark.KIND_LEAVE),
        pb.DayMark(day=tuesday, kind=pb.DayMark.KIND_FIXED, shift="EARLY@0800"),
    ]
    await planner.contract("fang", *marks)
    run = await planner.solved(first, people=9)
    await planner.contract("fang")
    assert list(run.conflicts) == [f"fang: on leave on {tuesday}", f"fang: fixed to EARLY@0800 on {tuesday}"]
    assert list(run.relaxed) == [f"fang: fixed to EARLY@0800 on {tuesday}"]
    assert run.broken == []
    assert run.shortfalls
    assert all(one.missing > 0 and one.start.seconds < one.end.seconds for one in run.shortfalls)
    reasons = [rule for one in run.shortfalls for why in one.why_not for rule in why.rules]
    assert any("day of leave" in rule or "at most" in rule or "free" in rule for rule in reasons), reasons


async def test_publishing_is_versioned_and_revised_with_notice(planner: Planner) -> None:
    run = await planner.solved(await planner.first_day(11))
    request = api.PublishRosterRequest(name=run.name, request_id=fresh())
    first = await planner.stub().PublishRoster(request)
    assert await planner.stub().PublishRoster(request) == first
    assert first.changed_shifts == len(run.shifts) == len(first.shifts)
    again = await planner.publish(run)
    assert again.changed_shifts == 0
    assert int(again.name.rpartition("/")[2]) == int(first.name.rpartition("/")[2]) + 1
    old = await planner.stub().GetRoster(api.GetRosterRequest(name=first.name))
    assert list(old.shifts) == []  # every shift of its days is the later one's now
    listed = await planner.stub("li", "agent").ListRosters(api.ListRostersRequest(parent=PARENT))
    assert [one.name for one in listed.rosters[:2]] == [again.name, first.name]


async def test_a_change_within_the_period_of_notice_needs_agreement(planner: Planner) -> None:
    soon = await planner.first_day(1) - timedelta(
        days=7
    )  # this week: what is left of it lies within 72 hours, or is over
    run = await planner.solved(soon)
    shifts = [shift(soon, "gao", day) for day in range(3)]
    with pytest.raises(FailedPrecondition, match="GUARD_NOT_MET") as refused:
        await planner.publish(run, shifts=shifts)
    assert "72 h of notice, or the agreement of gao" in str(refused.value.metadata)
    published = await planner.publish(run, shifts=shifts, agreed=["gao"])
    assert published.changed_shifts == 3


@pytest.mark.parametrize(
    ("starts", "words"),
    [
        ([(day, 540, 300) for day in range(7)], "7 days in a row"),
        ([(0, 780, 540), (1, 480, 540)], "10 h free before"),
        ([(day, 480, 540) for day in range(6)], "48 h in the week"),
        ([(0, 540, 315)], "none of the site's"),
    ],
)
async def test_the_checker_stands_before_publishing(
    planner: Planner, run: pb.RosterRun, starts: list[tuple[int, int, int]], words: str
) -> None:
    first = date.fromisoformat(run.first_day)
    with pytest.raises(FailedPrecondition, match="GUARD_NOT_MET") as refused:
        await planner.publish(run, shifts=[shift(first, "gao", *one) for one in starts])
    assert words in str(refused.value.metadata)


async def test_who_is_not_certified_or_has_left_is_not_published(planner: Planner, run: pb.RosterRun) -> None:
    first = date.fromisoformat(run.first_day)
    with pytest.raises(FailedPrecondition) as refused:
        await planner.publish(run, shifts=[shift(first, "sun", 0)])
    assert "without the mentor chen" in str(refused.value.metadata)
    with pytest.raises(FailedPrecondition) as refused:
        await planner.publish(run, shifts=[shift(first, "nobody", 0)])
    assert "not certified, or not a person of this site" in str(refused.value.metadata)


async def test_shifts_are_a_calendar_for_their_person(planner: Planner, run: pb.RosterRun) -> None:
    published = await planner.publish(run)
    mine = [one for one in published.shifts if one.person == "chen"]
    request = api.ExportShiftsRequest(name=f"{PARENT}/people/chen")
    found = await planner.stub("chen", "agent").ExportShifts(request)
    text = found.content.decode()
    assert found.media_type.startswith("text/calendar")
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    for one in mine:
        assert f"DTSTART:{one.start.ToDatetime():%Y%m%dT%H%M%SZ}\r\n" in text
    with pytest.raises(PermissionDenied):
        await planner.stub("ding", "agent").ExportShifts(request)
    again = (await planner.stub().ExportShifts(request)).content.decode()
    assert _but_stamps(again) == _but_stamps(text)


async def test_a_contract_is_read_back_and_bad_ones_are_refused(planner: Planner) -> None:
    day = str(await planner.first_day(3))
    made = await planner.contract(
        "gao", pb.DayMark(day=day, kind=pb.DayMark.KIND_WISH, shift="ANY"), week_minutes_least=60
    )
    assert await planner.stub().GetContract(api.GetContractRequest(name=made.name)) == made
    leave = pb.DayMark(day=day, kind=pb.DayMark.KIND_LEAVE)
    bad: list[tuple[list[pb.DayMark], dict[str, object], str]] = [
        ([], {"week_minutes_least": 3_000}, "above week_minutes_most"),
        ([leave, leave], {}, "leave one"),
        ([pb.DayMark(day=day, kind=pb.DayMark.KIND_FIXED, shift="ANY")], {}, "name a shift"),
        ([pb.DayMark(day="2026-02-30", kind=pb.DayMark.KIND_LEAVE)], {}, "is no day"),
        ([], {"mentor": "sun"}, "not a certified colleague"),
        ([], {"mentor": "gao"}, "not a certified colleague"),
    ]
    for marks, fields, words in bad:
        with pytest.raises(InvalidArgument) as refused:
            await planner.contract("gao", *marks, **fields)
        assert words in str(refused.value.fields)
    with pytest.raises(NotFound):
        await planner.contract("nobody")
    await planner.contract("gao")


async def test_bad_runs_are_refused(planner: Planner) -> None:
    first = await planner.first_day(3)
    with pytest.raises(InvalidArgument, match="first_day"):
        await planner.create(first + timedelta(days=1))
    for wrong in (at(first, 7, 0), at(first, 0, 7)):
        with pytest.raises(InvalidArgument, match="requirements"):
            await planner.create(first, requirements=[pb.Requirement(start=wrong, skill="GENERAL", people=1)])
    with pytest.raises(FailedPrecondition) as refused:
        await planner.create(first, requirements=[pb.Requirement(start=at(first, 0, 600), skill="PIANO", people=1)])
    assert "the skill PIANO" in str(refused.value.metadata)
    with pytest.raises(PermissionDenied):
        await planner.stub("li", "agent").GetRosterRun(api.GetRosterRunRequest(name=f"{PARENT}/rosterRuns/x"))
    with pytest.raises(NotFound):
        await planner.stub().GetRosterRun(api.GetRosterRunRequest(name=f"{PARENT}/rosterRuns/x"))


async def test_contacts_become_people_by_erlang_a(planner: Planner) -> None:
    first = await planner.first_day(4)
    contacts = [
        pb.Requirement(start=at(first, 0, 600 + 15 * n), skill="GENERAL", contacts=20, handling_seconds=300)
        for n in range(4)
    ]
    promise = pb.Promise(level=0.8, within_seconds=20, patience_seconds=120)
    made = await planner.create(first, requirements=contacts, promise=promise)
    found = await planner.get(made.name)
    (general,) = [one for one in found.cover if one.activity == "GENERAL"]
    assert [general.required[40 + n] for n in range(4)] == pytest.approx([8, 9, 9, 9], abs=1)
    await planner.stub().CancelRosterRun(api.CancelRosterRunRequest(name=made.name, request_id=fresh()))


async def test_pages_of_runs(planner: Planner) -> None:
    made = [await planner.create(await planner.first_day(12)) for _ in range(5)]
    for one in made:
        await planner.stub().CancelRosterRun(api.CancelRosterRunRequest(name=one.name, request_id=fresh()))
    names: list[str] = []
    token = ""
    while True:
        request = api.ListRosterRunsRequest(parent=PARENT, page_size=2, page_token=token)
        found = await planner.stub().ListRosterRuns(request)
        names += [one.name for one in found.roster_runs]
        assert all(not one.shifts for one in found.roster_runs)
        token = found.next_page_token
        if not token:
            break
    assert len(names) == len(set(names))
    assert [name for name in names if name in {one.name for one in made}] == [one.name for one in reversed(made)]


def _but_stamps(calendar: str) -> list[str]:
    """The lines but those that say when they were written."""
    return [line for line in calendar.split("\r\n") if not line.startswith("DTSTAMP:")]
