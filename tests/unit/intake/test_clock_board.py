from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain import clock_board as boards
from services.intake.domain.clock import Change, Kind, PauseReason, Rules, State, What
from services.intake.domain.clock_board import Board, Fact, Happening

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TARGETS = {
    Kind.GREETING: 10.0,
    Kind.FIRST_RESPONSE: 30.0,
    Kind.REPLY_GAP: 60.0,
    Kind.HANDOFF: 120.0,
    Kind.RINGS: 12.0,
    Kind.VERIFICATION_CALLBACK: 600.0,
    Kind.HARASSMENT: 90.0,
}
BOOK = {"GENERAL": Rules(TARGETS, max_rings=3), "SALES": Rules({Kind.FIRST_RESPONSE: 300.0}, max_rings=3)}


def happening(fact: Fact, seconds: float, queue: str = "GENERAL", number: int = 0) -> Happening:
    return Happening(fact, NOON + timedelta(seconds=seconds), queue, number)


def judged(*facts: tuple[Fact, float], until: float = 0) -> dict[tuple[Kind, int], State]:
    end = NOON + timedelta(seconds=max(until, facts[-1][1]))
    board, _ = boards.replay([happening(*fact) for fact in facts], BOOK, until=end)
    return {(clock.kind, clock.number): clock.state for clock in board}


def test_entering_starts_the_greeting_and_a_question_the_first_response() -> None:
    assert judged((Fact.ENTERED, 0)) == {(Kind.GREETING, 1): State.RUNNING}
    assert judged((Fact.QUESTION, 0)) == {(Kind.FIRST_RESPONSE, 1): State.RUNNING}


def test_a_canned_greeting_stops_the_greeting_but_never_the_first_response() -> None:
    states = judged((Fact.ENTERED, 0), (Fact.QUESTION, 1), (Fact.GREETED, 2))
    assert states == {(Kind.GREETING, 1): State.MET, (Kind.FIRST_RESPONSE, 1): State.RUNNING}


def test_a_bot_answer_stops_the_clock_only_where_the_profile_says_so() -> None:
    facts = [happening(Fact.QUESTION, 0), happening(Fact.BOT_ANSWERED, 3)]
    (runs,), _ = boards.replay(facts, BOOK)
    (met,), _ = boards.replay(facts, {"GENERAL": Rules(TARGETS, bot_answer_stops=True)})
    assert (runs.state, met.state) == (State.RUNNING, State.MET)


def test_later_questions_start_reply_gaps_one_per_silence() -> None:
    states = judged(
        (Fact.QUESTION, 0), (Fact.ANSWERED, 5), (Fact.QUESTION, 10), (Fact.QUESTION, 20), (Fact.ANSWERED, 65),
        (Fact.QUESTION, 70), until=131,
    )  # fmt: skip
    assert states == {
        (Kind.FIRST_RESPONSE, 1): State.MET,
        (Kind.REPLY_GAP, 1): State.MET,
        (Kind.REPLY_GAP, 2): State.BREACHED,
    }


def test_a_second_question_does_not_move_the_deadline_of_the_first() -> None:
    assert judged((Fact.QUESTION, 0), (Fact.QUESTION, 29), until=31) == {(Kind.FIRST_RESPONSE, 1): State.BREACHED}


def test_each_hop_that_was_accepted_has_its_own_clock() -> None:
    states = judged(
        (Fact.TRANSFERRED, 0), (Fact.ACCEPTED, 119), (Fact.TRANSFERRED, 300), (Fact.ANSWERED, 310), (Fact.ENDED, 320)
    )
    assert states == {(Kind.HANDOFF, 1): State.MET, (Kind.HANDOFF, 2): State.CANCELLED}


def test_neither_declining_nor_offering_anew_restarts_the_two_minutes() -> None:
    tossed = [(Fact.TRANSFERRED, 0), (Fact.DECLINED, 50), (Fact.TRANSFERRED, 60), (Fact.TRANSFERRED, 100)]
    assert judged(*tossed, (Fact.ACCEPTED, 119)) == {(Kind.HANDOFF, 1): State.MET}
    assert judged(*tossed, (Fact.ACCEPTED, 121)) == {(Kind.HANDOFF, 1): State.STOPPED_LATE}
    assert judged(*tossed, until=121) == {(Kind.HANDOFF, 1): State.BREACHED}
    assert judged(*tossed[:2], until=121) == {(Kind.HANDOFF, 1): State.BREACHED}


def test_only_words_after_verification_keep_the_promised_call_back() -> None:
    early = judged((Fact.HELD, 0), (Fact.REASSURED, 5), (Fact.RESUMED, 500), until=601)
    assert early == {(Kind.VERIFICATION_CALLBACK, 1): State.BREACHED}
    kept = judged((Fact.HELD, 0), (Fact.RESUMED, 500), (Fact.ANSWERED, 510))
    assert kept == {(Kind.VERIFICATION_CALLBACK, 1): State.MET}


def test_harassment_ends_what_was_promised_and_a_supervisor_owes_a_look() -> None:
    reported = [(Fact.QUESTION, 0), (Fact.HARASSED, 5)]
    assert judged(*reported) == {(Kind.FIRST_RESPONSE, 1): State.CANCELLED, (Kind.HARASSMENT, 1): State.RUNNING}
    for look in (Fact.SUPERVISED, Fact.RELEASED, Fact.ENDED):
        assert judged(*reported, (look, 95))[Kind.HARASSMENT, 1] == State.MET
        assert judged(*reported, (look, 96))[Kind.HARASSMENT, 1] == State.STOPPED_LATE
    assert judged(*reported, (Fact.RELEASED, 20))[Kind.FIRST_RESPONSE, 2] == State.RUNNING


def test_a_call_is_judged_by_rings_and_seconds() -> None:
    facts = [
        happening(Fact.CALLED, 0),
        *(happening(Fact.RANG, 4.0 * (n - 1), number=n) for n in (1, 2, 3, 4)),
        happening(Fact.PICKED_UP, 13),
    ]
    board, _ = boards.replay(facts, BOOK)
    assert {clock.kind: clock.state for clock in board} == {
        Kind.FIRST_RESPONSE: State.MET,
        Kind.RINGS: State.STOPPED_LATE,
    }


def test_a_call_whose_first_reported_ring_is_the_fourth_is_late() -> None:
    board, _ = boards.apply((), happening(Fact.RANG, 0, number=4), BOOK)
    assert [clock.state for clock in board] == [State.BREACHED]


def test_leaving_before_the_deadline_is_not_judged_and_after_it_is_a_breach() -> None:
    assert judged((Fact.QUESTION, 0), (Fact.ENDED, 20)) == {(Kind.FIRST_RESPONSE, 1): State.CANCELLED}
    assert judged((Fact.QUESTION, 0), (Fact.ENDED, 31)) == {(Kind.FIRST_RESPONSE, 1): State.BREACHED}


def test_who_was_never_answered_gets_a_new_first_response_on_coming_back() -> None:
    states = judged((Fact.QUESTION, 0), (Fact.ENDED, 31), (Fact.QUESTION, 100), (Fact.ANSWERED, 110))
    assert states == {(Kind.FIRST_RESPONSE, 1): State.BREACHED, (Kind.FIRST_RESPONSE, 2): State.MET}


def test_settled_clocks_may_be_forgotten_except_the_latest_of_a_kind() -> None:
    facts = [happening(Fact.QUESTION, 0), happening(Fact.ANSWERED, 1)]
    facts += [happening(fact, 10 * n + i) for n in (1, 2) for i, fact in enumerate((Fact.QUESTION, Fact.ANSWERED))]
    board, _ = boards.replay(facts, BOOK)
    kept = tuple(clock for clock in board if (clock.kind, clock.number) != (Kind.REPLY_GAP, 1))
    after, _ = boards.apply(kept, happening(Fact.QUESTION, 50), BOOK)
    assert (after[-1].kind, after[-1].number) == (Kind.REPLY_GAP, 3)


def test_a_transfer_does_not_change_the_promise_that_was_made_in_another_queue() -> None:
    facts = [happening(Fact.QUESTION, 0), happening(Fact.TRANSFERRED, 5, "SALES")]
    board, _ = boards.replay(facts, BOOK, until=NOON + timedelta(seconds=31))
    assert [(clock.queue, clock.state) for clock in board] == [("GENERAL", State.BREACHED)]


def test_a_replay_under_another_version_shows_what_it_would_have_changed() -> None:
    facts = [happening(Fact.QUESTION, 0), happening(Fact.ANSWERED, 40)]
    (before,), _ = boards.replay(facts, BOOK)
    (after,), _ = boards.replay(facts, {"GENERAL": Rules({Kind.FIRST_RESPONSE: 45.0})})
    assert (before.state, after.state) == (State.STOPPED_LATE, State.MET)


PAUSES = st.frozensets(st.tuples(st.sampled_from(Kind), st.sampled_from(list(PauseReason)[1:])))
RULES = st.builds(
    Rules,
    targets=st.dictionaries(st.sampled_from(Kind), st.integers(1, 100).map(float)),
    warn_fractions=st.sampled_from([(0.5, 0.8, 1.0), (0.3,), ()]),
    pauses=PAUSES,
    bot_answer_stops=st.booleans(),
    max_rings=st.integers(1, 4),
)
HISTORY = st.lists(
    st.builds(
        lambda gap, fact, queue, ring: (gap, fact, queue, ring),
        st.integers(0, 60_000_000),
        st.sampled_from(Fact),
        st.sampled_from(["GENERAL", "SALES"]),
        st.integers(1, 5),
    ),
    max_size=12,
)


def told(history: list[tuple[int, Fact, str, int]]) -> list[Happening]:
    at, facts = NOON, []
    for gap, fact, queue, ring in history:
        at += timedelta(microseconds=gap)
        facts.append(Happening(fact, at, queue, ring))
    return facts


@given(HISTORY, RULES, RULES, st.integers(0, 300), st.data())
def test_judging_as_it_happens_equals_the_replay(
    history: list[tuple[int, Fact, str, int]], general: Rules, sales: Rules, more_s: int, data: st.DataObject
) -> None:
    """Timers that fire at the promised instants, or late, or never, change nothing in the result."""
    book = {"GENERAL": general, "SALES": sales}
    facts = told(history)
    end = (facts[-1].at if facts else NOON) + timedelta(seconds=more_s)
    board: Board = ()
    changes: list[Change] = []

    def timers_up_to(instant: datetime) -> None:
        nonlocal board
        while (wake := boards.wakes_at(board, book)) is not None and wake <= instant and data.draw(st.booleans()):
            noticed = data.draw(st.sampled_from([wake, instant]))
            board, new = boards.tick(board, noticed, book)
            assert new, "a timer that fires must change something"
            changes.extend(new)

    for fact in facts:
        timers_up_to(fact.at)
        board, new = boards.apply(board, fact, book)
        changes.extend(new)
    timers_up_to(end)
    board, new = boards.tick(board, end, book)

    replayed, seen = boards.replay(facts, book, until=end)
    assert board == replayed
    assert sorted(map(repr, [*changes, *new])) == sorted(map(repr, seen))


@given(HISTORY, RULES)
def test_every_breach_bears_its_deadline_and_every_warning_comes_once(
    history: list[tuple[int, Fact, str, int]], rules: Rules
) -> None:
    board, changes = boards.replay(told(history), {"GENERAL": rules, "SALES": rules})
    assert all(change.at == change.clock.due_at for change in changes if change.what is What.BREACHED)
    once = [
        (change.clock.kind, change.clock.number, change.what, change.fraction)
        for change in changes
        if change.what not in {What.PAUSED, What.RESUMED}
    ]
    assert len(once) == len(set(once))
    assert all(clock.stopped_at is None or clock.stopped_at >= clock.started_at for clock in board)
