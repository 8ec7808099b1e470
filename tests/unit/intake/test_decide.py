"""Decisions on conversations: what every sequence of commands keeps true, and what each state allows."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.domain import clock_board, machine
from services.intake.domain import commands as c
from services.intake.domain.clock import State as ClockState
from services.intake.domain.commands import ROUTER, TIMER, Caller, Command
from services.intake.domain.conversation import Conversation
from services.intake.domain.decide import Context, Decision, decide, open_new
from services.intake.domain.history import Assigned, Moved
from services.intake.domain.refusal import InvalidField, Refusal, WrongState
from services.intake.domain.rules import SiteRules
from services.intake.domain.values import ENDED, CallerKind, MessageKind, State
from services.kit.ids import Ids
from services.policy import loader

PROFILES = Path(__file__).parents[3] / "charts" / "kefu" / "profiles"
NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
CUSTOMER = Caller(CallerKind.CUSTOMER, "customer/c-1", customer="c-1", channel="WEB")
ANN = Caller(CallerKind.PERSON, "ann")
BOB = Caller(CallerKind.PERSON, "bob")
BOSS = Caller(CallerKind.PERSON, "boss", supervisor=True)
BOT = Caller(CallerKind.SERVICE, "bot", bot=True)
TELEPHONE = Caller(CallerKind.SERVICE, "pbx")

COMMANDS: list[tuple[Caller, Command]] = [
    (CUSTOMER, c.Append(MessageKind.TEXT, "words", bot_patience_s=10)),
    (ANN, c.Append(MessageKind.TEXT, "words")),
    (BOB, c.Append(MessageKind.TEXT, "words")),
    (ANN, c.Append(MessageKind.NOTE, "words")),
    (ANN, c.Append(MessageKind.GREETING, "words")),
    (BOT, c.Append(MessageKind.BOT_ANSWER, "words")),
    (ROUTER, c.Offer("ann")),
    (ROUTER, c.Offer("bob")),
    (ANN, c.Accept()),
    (BOB, c.Accept()),
    (ANN, c.Decline("busy")),
    (BOB, c.Decline()),
    (ANN, c.RecordNeed("a refund", "SEARCH")),
    (BOSS, c.RecordNeed("a refund", "SEARCH")),
    (ANN, c.Transfer("SPECIALIST", "", "knows better")),
    (ANN, c.Transfer("", "bob", "knows better", c.Target("bob", takes_work=True, certified=True))),
    (BOB, c.Transfer("GENERAL", "", "knows better")),
    (ANN, c.Hold()),
    (ANN, c.Resume()),
    (ANN, c.Redirect("PHONE")),
    (ANN, c.ReportHarassment("insults")),
    (BOSS, c.ReleaseHold(resume=True)),
    (BOSS, c.ReleaseHold(resume=False)),
    (CUSTOMER, c.Escalate()),
    (ANN, c.Close("done", asked_anything_else=True, farewell=True, need="a refund", source="SEARCH")),
    (BOSS, c.Close("done", asked_anything_else=True, farewell=True)),
    (CUSTOMER, c.Rate(5)),
    (CUSTOMER, c.Leave()),
    (CUSTOMER, c.Reopen()),
    (TELEPHONE, c.Ring(1)),
    (TELEPHONE, c.HangUp(by_customer=True)),
    (ROUTER, c.Release("ann")),
    (TIMER, c.Tick()),
]


@cache
def rules(site: str = "online-desk") -> SiteRules:
    return SiteRules.of(loader.load(PROFILES / f"{site}.yaml").profile)


def context(caller: Caller, now: datetime = NOW) -> Context:
    return Context(rules(), now, caller, Ids(lambda: 0, random.Random(1).getrandbits))


def opened(text: str = "hello", *, surge: bool = False, patience: float = 0.0) -> Decision:
    command = c.Open("WEB", "", "", "c-1", b"", "", text, "", simulated=False, surge=surge, bot_patience_s=patience)
    return open_new(command, context(CUSTOMER), burst="WEB/GENERAL/c-1")


def holds(decision: Decision) -> None:
    """What must be true of every decision."""
    before, after = decision.before, decision.after
    first = 0 if before is None else before.version
    assert [entry.version for entry in decision.entries] == list(range(first + 1, after.version + 1))
    if before is not None and before.accountable_owner:
        assert after.accountable_owner, "somebody stays accountable once somebody took it"
    if after.state in ENDED or after.state is State.AWAITING_RATING:
        assert after.ended_at is not None
        assert not any(clock.open for clock in after.clocks), "nothing runs on after the end"
    else:
        assert after.ended_at is None or after.state is State.WRAP_UP
    if after.waits:
        assert after.queued_at is not None
        assert decision.route or (before is not None and before.waits)
    running = [clock for clock in after.clocks if clock.state is ClockState.RUNNING]
    if running or after.state in {State.ASSIGNED, State.AWAITING_RATING}:
        assert after.timer_at is not None, "something will happen by time alone: a timer stands for it"
    if after.state in {State.ASSIGNED, State.RECEPTION, State.SERVING}:
        assert after.assignee
    change = Counter(after.loads)
    change.subtract(before.loads if before is not None else {})
    assert decision.loads == {person: delta for person, delta in change.items() if delta}
    for entry in decision.entries:
        if isinstance(entry.detail, Moved) and entry.detail.from_state:
            assert entry.detail.to_state in machine.TRANSITIONS[entry.detail.transition][State(entry.detail.from_state)]


steps = st.lists(st.tuples(st.sampled_from(COMMANDS), st.integers(0, 200)), max_size=40)


@given(steps, st.sampled_from(["", "hello"]), st.sampled_from([0.0, 10.0]))
@settings(max_examples=300, deadline=None)
def test_whatever_is_asked_in_whatever_order(
    asked: list[tuple[tuple[Caller, Command], int]], text: str, patience: float
) -> None:
    decision = opened(text, surge=True, patience=patience)
    holds(decision)
    now = NOW
    for (caller, command), seconds in asked:
        now += timedelta(seconds=seconds)
        conversation = decision.after
        copy = astuple(conversation)
        try:
            decision = decide(conversation, command, context(caller, now))
        except Refusal:
            assert astuple(conversation) == copy, "a refusal changes nothing"
        else:
            assert astuple(conversation) == copy, "a decision works on its own copy"
            holds(decision)


@given(steps)
@settings(max_examples=100, deadline=None)
def test_a_timer_never_comes_too_late(asked: list[tuple[tuple[Caller, Command], int]]) -> None:
    """Judging at every armed instant leaves the same outcomes as judging only when somebody happens to come by."""
    punctual, lazy = opened().after, opened().after
    now = NOW
    for (caller, command), seconds in asked:
        until = now + timedelta(seconds=seconds)
        while punctual.timer_at is not None and punctual.timer_at <= until:
            punctual = decide(punctual, c.Tick(), context(TIMER, punctual.timer_at)).after
        now = until
        if punctual.state is not lazy.state or punctual.assignee != lazy.assignee:
            return  # something that only a timer does (taking back, closing) has happened: the stories differ
        outcomes = []
        for conversation in (punctual, lazy):
            try:
                outcomes.append(decide(conversation, command, context(caller, now)).after)
            except Refusal:
                outcomes.append(decide(conversation, c.Tick(), context(TIMER, now)).after)
        punctual, lazy = outcomes
        if punctual.state is not lazy.state or punctual.assignee != lazy.assignee:
            return
        shown = [
            [(clock.kind, clock.number, clock.state, clock.due_at, clock.warned) for clock in board]
            for board, _ in (clock_board.tick(one.clocks, now, rules().rulebook) for one in (punctual, lazy))
        ]
        assert shown[0] == shown[1]


def in_state(state: State) -> Conversation:
    """A conversation that somebody might have brought into this state."""
    conversation = opened().after.copy()
    conversation.state = state
    conversation.assignee = conversation.accountable_owner = "ann"
    conversation.need, conversation.source, conversation.resume_state = "need", "SEARCH", State.SERVING
    conversation.ended_at = NOW if state in ENDED or state is State.AWAITING_RATING else None
    return conversation


BY_TRANSITION: dict[str, tuple[Caller, Command]] = {
    "escalate": (CUSTOMER, c.Escalate()),
    "accept": (ANN, c.Accept()),
    "decline": (ANN, c.Decline()),
    "recordNeed": (ANN, c.RecordNeed("need", "SEARCH")),
    "transfer": (ANN, c.Transfer("ACCOUNT", "", "why")),
    "holdForVerification": (ANN, c.Hold()),
    "resume": (ANN, c.Resume()),
    "redirect": (ANN, c.Redirect("PHONE")),
    "reportHarassment": (ANN, c.ReportHarassment("why")),
    "releaseHold": (BOSS, c.ReleaseHold(resume=True)),
    "close": (ANN, c.Close("done", asked_anything_else=True, farewell=True)),
    "rate": (CUSTOMER, c.Rate(5)),
    "leave": (CUSTOMER, c.Leave()),
    "reopen": (ANN, c.Reopen()),
}


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("transition", list(BY_TRANSITION))
def test_a_state_allows_what_the_life_cycle_declares_and_names_it(state: State, transition: str) -> None:
    caller, command = BY_TRANSITION[transition]
    if state in machine.TRANSITIONS[transition]:
        after = decide(in_state(state), command, context(caller)).after
        assert after.state in machine.TRANSITIONS[transition][state]
        return
    with pytest.raises(WrongState) as refused:
        decide(in_state(state), command, context(caller))
    assert refused.value.state == state
    allowed = {name for name, ways in machine.TRANSITIONS.items() if state in ways}
    assert set(refused.value.allowed) == allowed
    assert transition not in allowed


def test_every_state_can_be_reached_and_only_ends_are_ends() -> None:
    reached = {State.NEW, State.QUEUED, State.BOT}
    for ways in machine.TRANSITIONS.values():
        reached |= {after for targets in ways.values() for after in targets}
    assert reached == set(State)
    stuck = {state for state in State if not any(state in ways for ways in machine.TRANSITIONS.values())}
    assert stuck == {State.REDIRECTED}


@pytest.mark.parametrize(
    ("caller", "kind"),
    [
        (CUSTOMER, MessageKind.NOTE),
        (CUSTOMER, MessageKind.GREETING),
        (CUSTOMER, MessageKind.BOT_ANSWER),
        (ANN, MessageKind.BOT_ANSWER),
        (BOT, MessageKind.TEXT),
        (BOT, MessageKind.NOTE),
    ],
)
def test_nobody_speaks_with_anothers_voice(caller: Caller, kind: MessageKind) -> None:
    with pytest.raises(InvalidField) as refused:
        decide(in_state(State.SERVING), c.Append(kind, "words"), context(caller))
    assert refused.value.field == "message.kind"


def test_a_foreign_attachment_and_an_empty_message_are_refused() -> None:
    foreign = "sites/online-desk/conversations/other/attachments/a"
    for command, field in (
        (c.Append(MessageKind.ATTACHMENT, "", attachment=foreign), "message.attachment"),
        (c.Append(MessageKind.TEXT, ""), "message.text"),
    ):
        with pytest.raises(InvalidField) as refused:
            decide(in_state(State.SERVING), command, context(ANN))
        assert refused.value.field == field


def test_a_long_conversation_carries_few_clocks() -> None:
    conversation = in_state(State.SERVING)
    now = NOW
    for _ in range(50):
        for caller in (CUSTOMER, ANN):
            now += timedelta(seconds=1)
            conversation = decide(conversation, c.Append(MessageKind.TEXT, "words"), context(caller, now)).after
    assert len(conversation.clocks) <= 3
    assert max(clock.number for clock in conversation.clocks) == 49


def test_time_that_steps_back_between_processes_does_not_reorder_facts() -> None:
    conversation = in_state(State.SERVING)
    later = decide(conversation, c.Append(MessageKind.TEXT, "a"), context(CUSTOMER, NOW + timedelta(seconds=5))).after
    earlier = decide(later, c.Append(MessageKind.TEXT, "b"), context(ANN, NOW + timedelta(seconds=3)))
    assert earlier.after.updated_at == later.updated_at
    assert [entry.at for entry in earlier.entries] == [later.updated_at] * len(earlier.entries)


def test_who_gave_it_back_is_spared_until_it_is_taken() -> None:
    conversation = opened().after
    for person, caller in (("ann", ANN), ("bob", BOB)):
        conversation = decide(conversation, c.Offer(person), context(ROUTER)).after
        conversation = decide(conversation, c.Decline(), context(caller)).after
    assert conversation.refused == ("ann", "bob")
    conversation = decide(conversation, c.Offer("ann"), context(ROUTER)).after
    taken = decide(conversation, c.Accept(), context(ANN))
    assert taken.after.refused == ()
    [assigned] = [entry.detail for entry in taken.entries if isinstance(entry.detail, Assigned)]
    assert (assigned.from_person, assigned.to_person, assigned.accountable) == ("ann", "ann", "ann")
