from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from services.intake.domain.routing import Agent, Choice, Match, Rules, Turn, Waiting, match, order

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RULES = Rules(tier_weights={"VIP": 3.0, "SVIP": 10.0}, ceiling_fraction=0.8, patience_s=100)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def waits(name: str, seconds: float, *, tier: str = "", promise_s: float = 1000, **more: object) -> Waiting:
    due = ago(seconds) + timedelta(seconds=promise_s)
    return Waiting(name, ago(seconds), tier=tier, due_at=due, target_s=promise_s, **more)  # type: ignore[arg-type]


def agent(name: str, *, capacity: int = 1, load: int = 0, idle_s: float = 0, **more: object) -> Agent:
    return Agent(name, capacity, load, ago(idle_s), **more)  # type: ignore[arg-type]


def given_to(matches: list[Match]) -> dict[str, str]:
    return {one.conversation: one.person for one in matches}


def test_oldest_first_inside_a_tier_and_a_weighted_tier_ahead() -> None:
    line = order([waits("a", 10), waits("b", 20), waits("v", 8, tier="VIP")], RULES, NOW)
    assert [one.conversation for one in line] == ["v", "b", "a"]


def test_past_the_ceiling_tiers_stop_counting_and_the_next_deadline_is_first() -> None:
    line = order(
        [
            waits("vip", 79, tier="SVIP", promise_s=100),
            waits("plain", 81, promise_s=100),
            waits("soon", 29, promise_s=30),
        ],
        RULES,
        NOW,
    )
    assert [one.conversation for one in line] == ["soon", "plain", "vip"]


def test_without_a_promise_the_sites_patience_is_the_ceiling() -> None:
    line = order([waits("vip", 79, tier="SVIP", promise_s=100), Waiting("plain", ago(81))], RULES, NOW)
    assert [one.conversation for one in line] == ["plain", "vip"]


def test_the_least_loaded_then_the_longest_idle_person_is_chosen() -> None:
    people = [agent("busy", capacity=2, load=1, idle_s=99), agent("short", idle_s=1), agent("long", idle_s=50)]
    assert given_to(match([waits("a", 1), waits("b", 2)], people, RULES, NOW)) == {"b": "long", "a": "short"}


def test_the_owner_goes_before_everybody() -> None:
    people = [agent("x", idle_s=100), agent("owner")]
    known = waits("a", 1, owner="owner")
    assert match([known], people, RULES, NOW)[0].reason.choice is Choice.OWNER
    assert given_to(match([known], people[:1], RULES, NOW)) == {"a": "x"}


def test_uncertified_people_serve_nobody() -> None:
    assert match([waits("a", 1)], [agent("new", certified=False)], RULES, NOW) == []


def test_nobody_gets_back_what_they_declined() -> None:
    assert match([waits("a", 1, refused=frozenset({"p"}))], [agent("p")], RULES, NOW) == []


def test_a_specialist_is_freed_for_whom_only_they_can_serve() -> None:
    people = [agent("both", idle_s=100, skills=frozenset({"ZH", "EN"})), agent("zh", skills=frozenset({"ZH"}))]
    line = [waits("first", 20, skills=frozenset({"ZH"})), waits("second", 10, skills=frozenset({"EN"}))]
    matches = match(line, people, RULES, NOW)
    assert given_to(matches) == {"first": "zh", "second": "both"}
    assert matches[1].reason.choice is Choice.MADE_ROOM


def test_a_match_is_explained_in_figures() -> None:
    (one,) = match([waits("a", 25, tier="VIP", promise_s=30)], [agent("p"), agent("q", idle_s=5)], RULES, NOW)
    reason = one.reason
    assert (reason.turn, reason.choice, reason.place) == (Turn.CEILING, Choice.LEAST_LOADED, 1)
    assert (reason.waited_s, reason.weight, reason.due_in_s, reason.candidates) == (25, 3.0, 5, 2)


SKILLS = st.frozensets(st.sampled_from(["ZH", "EN", "TECH"]), max_size=2)
PEOPLE = [f"p{n}" for n in range(6)]
AGENTS = st.lists(
    st.builds(
        Agent,
        st.sampled_from(PEOPLE),
        st.integers(0, 4),
        st.integers(0, 5),
        st.integers(0, 500).map(ago),
        SKILLS,
        certified=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda one: one.person,
)
LINE = st.lists(
    st.builds(
        lambda seconds, skills, tier, promise, owner, refused: Waiting(
            "", ago(seconds), skills, tier, ago(seconds - promise) if promise else None, promise, owner, refused
        ),
        st.integers(0, 1000),
        SKILLS,
        st.sampled_from(["", "VIP", "SVIP"]),
        st.sampled_from([0, 30, 300]),
        st.sampled_from(["", *PEOPLE]),
        st.frozensets(st.sampled_from(PEOPLE), max_size=2),
    ),
    max_size=15,
).map(lambda line: [_named(one, n) for n, one in enumerate(line)])


def _named(one: Waiting, number: int) -> Waiting:
    return Waiting(f"c{number:02}", one.since, one.skills, one.tier, one.due_at, one.target_s, one.owner, one.refused)


def able(one: Waiting, person: Agent) -> bool:
    return person.certified and one.skills <= person.skills and person.person not in one.refused


@given(LINE, AGENTS)
def test_nobody_is_given_too_much_or_what_they_cannot_do(line: list[Waiting], people: list[Agent]) -> None:
    matches = match(line, people, RULES, NOW)
    by_name, who = {one.conversation: one for one in line}, {one.person: one for one in people}
    assert len(given_to(matches)) == len(matches)
    assert all(able(by_name[one.conversation], who[one.person]) for one in matches)
    for person in people:
        got = sum(one.person == person.person for one in matches)
        assert got <= max(person.capacity - person.load, 0)
    places = [one.reason.place for one in matches]
    assert places == sorted(places)


@given(LINE, AGENTS)
def test_nobody_waits_whom_a_free_person_could_serve(line: list[Waiting], people: list[Agent]) -> None:
    matches = given_to(match(line, people, RULES, NOW))
    spare = {one.person: one.capacity - one.load - sum(p == one.person for p in matches.values()) for one in people}
    left = [one for one in line if one.conversation not in matches]
    assert not [(one, person) for one in left for person in people if spare[person.person] > 0 and able(one, person)]


@settings(max_examples=60)
@given(LINE, AGENTS)
def test_as_many_are_served_as_any_arrangement_could_and_each_only_behind_those_ahead(
    line: list[Waiting], people: list[Agent]
) -> None:
    """Against an independent maximum matching: of the first k in line, as many as possible are served, for every k."""
    matches = given_to(match(line, people, RULES, NOW))
    ahead: list[Waiting] = []
    for one in order(line, RULES, NOW):
        ahead.append(one)
        assert sum(other.conversation in matches for other in ahead) == _most(ahead, people)


def _most(line: list[Waiting], people: list[Agent]) -> int:
    seats = [one for one in people for _ in range(one.capacity - one.load)]
    if not seats:
        return 0
    fits = np.array([[able(one, person) for person in seats] for one in line], dtype=np.int8)
    return int((maximum_bipartite_matching(csr_matrix(fits)) >= 0).sum())


@given(LINE, AGENTS, st.randoms())
def test_the_same_input_in_any_order_gives_the_same_matches(
    line: list[Waiting], people: list[Agent], random: object
) -> None:
    expected = match(line, people, RULES, NOW)
    random.shuffle(line)  # type: ignore[attr-defined]
    random.shuffle(people)  # type: ignore[attr-defined]
    assert match(line, people, RULES, NOW) == expected


@pytest.mark.parametrize("flood_per_round", [1, 2, 5])
def test_a_flood_of_vips_delays_nobody_beyond_the_ceiling(flood_per_round: int) -> None:
    """One person serves one a second, at least as many VIPs arrive: a plain customer is served once past the ceiling.

    Promise 100 s, ceiling 80 s: only the VIPs who came before can be due earlier, and those were served long before.
    """
    line = [Waiting("plain", NOW, due_at=NOW + timedelta(seconds=100), target_s=100)]
    for second in range(1, 200):
        now = NOW + timedelta(seconds=second)
        line += [
            Waiting(f"v{second}-{n}", now, tier="SVIP", due_at=now + timedelta(seconds=100), target_s=100)
            for n in range(flood_per_round)
        ]
        (served,) = match(line, [agent("only")], RULES, now)
        if served.conversation == "plain":
            assert second <= 80
            return
        line = [one for one in line if one.conversation != served.conversation]
    pytest.fail("the plain customer starved")
