from __future__ import annotations

import asyncio
import itertools
import uuid
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from kefu.events.v1.event_pb2 import Event
from kefu.staffing.v1 import person_pb2 as pb
from kefu.staffing.v1 import staffing_service_pb2 as api

from services.kit.db import Database
from services.kit.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    KefuError,
    NotFound,
    PermissionDenied,
)
from tests.integration.staffing.conftest import Staffing, somebody

SERVICES = ("staffing",)
AVAILABLE, BREAK = pb.Presence.STATE_AVAILABLE, pb.Presence.STATE_BREAK


def fresh() -> str:
    return str(uuid.uuid4())


async def events_of(database: Database, person: str) -> list[Event]:
    rows = await database.fetch(
        "SELECT payload FROM kefu_outbox WHERE aggregate = $1 ORDER BY position", f"sites/desk/people/{person}"
    )
    return [Event.FromString(row["payload"]) for row in rows]


async def test_a_person_is_added_read_and_told_to_others(staffing: Staffing, make: Any, database: Database) -> None:
    made = await make("wang")
    assert made.name == "sites/desk/people/wang"
    assert (made.display_name, made.active, made.presence.state) == ("王芳", True, pb.Presence.STATE_OFFLINE)
    assert await staffing.stub().GetPerson(api.GetPersonRequest(name=made.name)) == made
    (event,) = await events_of(database, "wang")
    assert (event.version, event.actor, event.person_changed.display_name) == (1, "boss", "王芳")
    assert list(event.person_changed.skills) == ["PRESALES"]


async def test_names_rest_sealed_and_are_in_no_stored_reply(staffing: Staffing, database: Database) -> None:
    request = api.CreatePersonRequest(
        parent="sites/desk", person_id="sealed", person=somebody(display_name="Xenophon"), request_id=fresh()
    )
    first = await staffing.stub().CreatePerson(request)
    assert await staffing.stub().CreatePerson(request) == first
    row = await database.fetchrow("SELECT * FROM people WHERE person_id = 'sealed'")
    replies = await database.fetch("SELECT reply FROM kefu_requests")
    assert row is not None
    for stored in [row["display_name_sealed"], row["display_name_index"], *(reply["reply"] for reply in replies)]:
        assert b"Xenophon" not in stored


async def test_who_may_not_read_names_sees_a_mask_but_their_own(staffing: Staffing, make: Any) -> None:
    person = await make("li", display_name="李雷")
    request = api.GetPersonRequest(name=person.name)
    assert (await staffing.stub("someone", desk="agent").GetPerson(request)).display_name == "李*"
    assert (await staffing.stub("someone", desk="manager").GetPerson(request)).display_name == "李雷"
    assert (await staffing.stub("li", desk="agent").GetPerson(request)).display_name == "李雷"
    listed = await staffing.stub("someone", desk="agent").ListPeople(api.ListPeopleRequest(parent="sites/desk"))
    assert {one.display_name[1:] for one in listed.people} == {"*"}


async def test_an_update_takes_the_masked_fields_and_minds_the_etag(staffing: Staffing, make: Any) -> None:
    person = await make()
    changed = pb.Person()
    changed.CopyFrom(person)
    changed.capacity, changed.display_name = 9, "Nobody"
    request = api.UpdatePersonRequest(person=changed, update_mask=FieldMask(paths=["capacity"]), request_id=fresh())
    after = await staffing.stub().UpdatePerson(request)
    assert (after.capacity, after.display_name) == (9, person.display_name)
    assert after.etag != person.etag
    with pytest.raises(Aborted, match="VERSION_CONFLICT"):
        await staffing.stub().UpdatePerson(api.UpdatePersonRequest(person=changed, update_mask=request.update_mask))
    assert await staffing.stub().UpdatePerson(request) == after


async def test_leaving_is_for_good(staffing: Staffing, make: Any, database: Database) -> None:
    person = await make("gone")
    await staffing.stub().SetPresence(api.SetPresenceRequest(name=person.name, state=AVAILABLE))
    left = await staffing.stub().DeactivatePerson(api.DeactivatePersonRequest(name=person.name))
    assert (left.active, left.presence.state) == (False, pb.Presence.STATE_OFFLINE)
    assert await staffing.stub().DeactivatePerson(api.DeactivatePersonRequest(name=person.name)) == left
    with pytest.raises(FailedPrecondition, match="state=LEFT"):
        await staffing.stub().SetPresence(api.SetPresenceRequest(name=person.name, state=AVAILABLE))
    with pytest.raises(FailedPrecondition, match="state=LEFT"):
        await staffing.stub().UpdatePerson(
            api.UpdatePersonRequest(person=person, update_mask=FieldMask(paths=["capacity"]))
        )
    with pytest.raises(AlreadyExists):
        await staffing.stub().CreatePerson(
            api.CreatePersonRequest(parent="sites/desk", person_id="gone", person=somebody())
        )
    events = await events_of(database, "gone")
    assert [event.version for event in events] == [1, 2, 3, 4]
    assert events[-1].person_changed.active is False


async def test_presence_is_one_s_own_or_a_manager_s(staffing: Staffing, make: Any, database: Database) -> None:
    person = await make("own")
    request = api.SetPresenceRequest(name=person.name, state=AVAILABLE)
    presence = await staffing.stub("own", desk="agent").SetPresence(request)
    assert presence.state == AVAILABLE
    with pytest.raises(PermissionDenied, match=r"people\.manage"):
        await staffing.stub("other", desk="agent").SetPresence(request)
    request.state = BREAK
    assert (await staffing.stub("other", desk="manager").SetPresence(request)).state == BREAK
    facts = [
        event.presence_changed.state for event in await events_of(database, "own") if event.HasField("presence_changed")
    ]
    assert facts == ["AVAILABLE", "BREAK"]


async def test_online_time_counts_since_midnight_of_the_site(staffing: Staffing, make: Any, database: Database) -> None:
    person = await make("busy-bee")
    await staffing.stub().SetPresence(api.SetPresenceRequest(name=person.name, state=AVAILABLE))
    await database.execute(
        "UPDATE presence_spans SET started_at = now() - interval '3 days' WHERE person_id = 'busy-bee'"
    )
    midnight = await database.fetchval(
        "SELECT date_trunc('day', now() AT TIME ZONE 'Asia/Shanghai') AT TIME ZONE 'Asia/Shanghai'"
    )
    before = (await database.fetchval("SELECT now()") - midnight).total_seconds()
    seen = (await staffing.stub().GetPerson(api.GetPersonRequest(name=person.name))).presence.online_today_seconds
    after = (await database.fetchval("SELECT now()") - midnight).total_seconds()
    assert int(before) - 1 <= seen <= int(after) + 1


async def test_pages_have_everybody_once(staffing: Staffing, make: Any) -> None:
    names = {(await make(site="mall")).name for _ in range(7)}
    stub, found, token = staffing.stub(), [], ""
    while True:
        reply = await stub.ListPeople(api.ListPeopleRequest(parent="sites/mall", page_size=3, page_token=token))
        found += [person.name for person in reply.people]
        token = reply.next_page_token
        if not token:
            break
    assert len(found) == len(set(found))
    assert names <= set(found)
    first = await stub.ListPeople(api.ListPeopleRequest(parent="sites/mall", page_size=3))
    other = api.ListPeopleRequest(parent="sites/mall", page_token=first.next_page_token, show_inactive=True)
    with pytest.raises(InvalidArgument, match="PAGE_TOKEN_MISMATCH"):
        await stub.ListPeople(other)


async def test_lists_filter_by_presence(staffing: Staffing, make: Any) -> None:
    person = await make("afoot")
    await staffing.stub().SetPresence(api.SetPresenceRequest(name=person.name, state=pb.Presence.STATE_OFF_POST))
    reply = await staffing.stub().ListPeople(
        api.ListPeopleRequest(parent="sites/desk", presence_states=[pb.Presence.STATE_OFF_POST])
    )
    assert [one.name for one in reply.people] == [person.name]


async def test_twenty_at_once_leave_one_open_span_and_rising_versions(
    staffing: Staffing, make: Any, database: Database
) -> None:
    person = await make("racer")
    states = [AVAILABLE, BREAK, pb.Presence.STATE_BUSY, pb.Presence.STATE_AWAY] * 5
    stub = staffing.stub()
    await asyncio.gather(*(stub.SetPresence(api.SetPresenceRequest(name=person.name, state=state)) for state in states))
    spans = await database.fetch("SELECT * FROM presence_spans WHERE person_id = 'racer' ORDER BY number")
    assert [span["ended_at"] is None for span in spans] == [False] * (len(spans) - 1) + [True]
    assert all(a["ended_at"] == b["started_at"] for a, b in itertools.pairwise(spans))
    versions = [event.version for event in await events_of(database, "racer")]
    assert versions == list(range(1, len(versions) + 1))


async def test_of_two_editors_with_one_etag_one_wins(staffing: Staffing, make: Any) -> None:
    person = await make()

    async def edit(capacity: int) -> object:
        changed = pb.Person()
        changed.CopyFrom(person)
        changed.capacity = capacity
        request = api.UpdatePersonRequest(person=changed, update_mask=FieldMask(paths=["capacity"]))
        try:
            return await staffing.stub().UpdatePerson(request)
        except Aborted as lost:
            return lost

    outcomes = await asyncio.gather(edit(7), edit(8))
    assert sum(isinstance(outcome, Aborted) for outcome in outcomes) == 1


async def test_one_request_id_creates_once_even_at_the_same_time(staffing: Staffing) -> None:
    request = api.CreatePersonRequest(parent="sites/desk", person_id="twin", person=somebody(), request_id=fresh())
    stub = staffing.stub()
    replies = await asyncio.gather(*(stub.CreatePerson(request) for _ in range(5)))
    assert len({reply.SerializeToString() for reply in replies}) == 1
    request.person.capacity = 3
    with pytest.raises(InvalidArgument, match="REQUEST_ID_REUSED"):
        await stub.CreatePerson(request)


def create(parent: str = "sites/desk", person_id: str = "x", request_id: str = "", **fields: object) -> Any:
    return api.CreatePersonRequest(parent=parent, person_id=person_id, person=somebody(**fields), request_id=request_id)


def update(*paths: str) -> Any:
    return api.UpdatePersonRequest(person=somebody(name="sites/desk/people/x"), update_mask=FieldMask(paths=paths))


BAD: list[tuple[str, Any, type[KefuError], str]] = [
    ("CreatePerson", api.CreatePersonRequest(parent="sites/desk", person_id="x"), InvalidArgument, "person"),
    ("CreatePerson", create(parent="desk"), InvalidArgument, "parent"),
    ("CreatePerson", create(parent="sites/nowhere"), NotFound, "SITE_UNKNOWN"),
    ("CreatePerson", create(parent="sites/-"), InvalidArgument, "parent"),
    ("CreatePerson", create(person_id="X!"), InvalidArgument, "person_id"),
    ("CreatePerson", create(person_id="x" * 41), InvalidArgument, "person_id"),
    ("CreatePerson", create(display_name=""), InvalidArgument, "display_name"),
    ("CreatePerson", create(display_name="x" * 81), InvalidArgument, "display_name"),
    ("CreatePerson", create(grade=0), InvalidArgument, "grade"),
    ("CreatePerson", create(grade=99), InvalidArgument, "grade"),
    ("CreatePerson", create(skills=["lower"]), InvalidArgument, "skills"),
    ("CreatePerson", create(skills=["A", "A"]), InvalidArgument, "skills"),
    ("CreatePerson", create(capacity=0), InvalidArgument, "capacity"),
    ("CreatePerson", create(capacity=51), InvalidArgument, "capacity"),
    ("CreatePerson", create(request_id="x" * 65), InvalidArgument, "request_id"),
    ("GetPerson", api.GetPersonRequest(name="sites/desk/people/nobody"), NotFound, "people/nobody"),
    ("GetPerson", api.GetPersonRequest(name="people/nobody"), InvalidArgument, "name"),
    ("ListPeople", api.ListPeopleRequest(parent="sites/desk", page_size=-1), InvalidArgument, "page_size"),
    ("ListPeople", api.ListPeopleRequest(parent="sites/desk", page_token="!!"), InvalidArgument, "PAGE_TOKEN"),
    ("UpdatePerson", api.UpdatePersonRequest(person=somebody(name="sites/desk/people/x")), InvalidArgument, "mask"),
    ("UpdatePerson", update("active"), InvalidArgument, "update_mask"),
    ("UpdatePerson", update("grade"), NotFound, "people/x"),
    ("DeactivatePerson", api.DeactivatePersonRequest(name="sites/desk/people/nobody"), NotFound, "nobody"),
    ("SetPresence", api.SetPresenceRequest(name="sites/desk/people/nobody", state=AVAILABLE), NotFound, "nobody"),
    ("SetPresence", api.SetPresenceRequest(name="sites/desk/people/nobody"), InvalidArgument, "state"),
]


@pytest.mark.parametrize(("method", "request_", "error", "words"), BAD)
async def test_bad_input_is_refused_in_words_and_nothing_is_stored(
    staffing: Staffing, database: Database, method: str, request_: Any, error: type[KefuError], words: str
) -> None:
    with pytest.raises(error, match=words.replace("*", r"\*")):
        await getattr(staffing.stub(), method)(request_)
    assert not await database.fetchval("SELECT count(*) FROM people WHERE person_id = 'x'")


async def test_another_site_s_people_are_refused_without_saying_whether_they_exist(
    staffing: Staffing, make: Any
) -> None:
    there = await make(site="mall")
    refused = []
    for name in (there.name, "sites/mall/people/nobody"):
        with pytest.raises(PermissionDenied) as error:
            await staffing.stub("stranger", desk="manager").GetPerson(api.GetPersonRequest(name=name))
        refused.append(str(error.value))
    assert refused[0] == refused[1]
