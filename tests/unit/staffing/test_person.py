from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.staffing.convert import facts
from services.staffing.domain.person import Grade, Person, Profile, edited, joined, left, masked, present
from services.staffing.domain.presence import State

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PROFILE = Profile("Wang Fang", Grade.SENIOR, ("AFTERSALES", "PRESALES"), 5, certified=True)


def somebody() -> Person:
    return joined("desk", "wang", PROFILE, NOW)


def test_joining_is_offline_and_first() -> None:
    person = somebody()
    assert (person.presence.state, person.version, person.revision, person.active) == (State.OFFLINE, 1, 1, True)
    assert person.name == "sites/desk/people/wang"


def test_an_edit_takes_only_what_is_named() -> None:
    other = Profile("Somebody Else", Grade.JUNIOR, (), 1, certified=False)
    after = edited(somebody(), PROFILE.changed(other, ["capacity"]))
    assert (after.profile.capacity, after.profile.display_name) == (1, "Wang Fang")
    assert (after.version, after.etag) == (2, "2")


def test_presence_leaves_the_etag_alone() -> None:
    after = present(somebody(), State.AVAILABLE, NOW + timedelta(minutes=1))
    assert (after.version, after.etag) == (2, "1")
    assert present(after, State.AVAILABLE, NOW + timedelta(minutes=2)) is after


def test_leaving_ends_presence_first_and_says_both() -> None:
    person = present(somebody(), State.AVAILABLE, NOW)
    after = left(person, NOW + timedelta(hours=1))
    assert (after.active, after.presence.state) == (False, State.OFFLINE)
    assert left(after, NOW) is after
    events = facts(person, after, "boss")
    assert [(event.WhichOneof("fact"), event.version) for event in events] == [
        ("presence_changed", person.version + 1),
        ("person_changed", person.version + 2),
    ]


@given(st.text(min_size=1, max_size=80))
def test_a_masked_name_shows_one_character(name: str) -> None:
    assert masked(name) == name[0] + "*"


@given(st.lists(st.sampled_from(State), max_size=20))
def test_versions_of_facts_rise(states: list[State]) -> None:
    person, seen = somebody(), [1]
    for number, state in enumerate(states):
        after = present(person, state, NOW + timedelta(seconds=number))
        if after is not person:
            seen += [event.version for event in facts(person, after, "wang")]
        person = after
    assert seen == sorted(set(seen))
    assert seen[-1] == person.version
