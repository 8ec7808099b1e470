"""A conversation begins: by words, by entering, or by a call."""

from __future__ import annotations

from datetime import timedelta

from services.intake.domain.clock_board import Fact
from services.intake.domain.commands import Open
from services.intake.domain.conversation import Conversation
from services.intake.domain.decide.draft import Context, Decision, Draft
from services.intake.domain.history import Moved
from services.intake.domain.refusal import Forbidden, InvalidField
from services.intake.domain.values import PHONE, AuthorKind, CallerKind, CallState, MessageKind, State
from services.policy.profile import Profile


def open_new(command: Open, context: Context, *, burst: str) -> Decision:
    """Open a conversation; `burst` is the key under which the customer's next words find it."""
    queue = queue_of(command, context)
    draft = Draft(None, _fresh(command, context, queue, burst), context)
    c = draft.c
    if command.channel == PHONE:
        c.state, c.call_state = State.QUEUED, CallState.RINGING
        draft.enqueue()
        _opened(draft, Fact.CALLED)
    elif not command.text:
        _opened(draft, Fact.ENTERED)
    elif bot_first(draft.profile, surge=command.surge, patience_s=command.bot_patience_s):
        c.state = State.BOT
        c.bot_until = draft.now + timedelta(seconds=command.bot_patience_s)
        _opened(draft, None)
    else:
        c.state = State.QUEUED
        draft.enqueue()
        _opened(draft, None)
    if command.text:
        draft.say(MessageKind.TEXT, command.text, AuthorKind.CUSTOMER, Fact.QUESTION)
    return draft.done()


def queue_of(command: Open, context: Context) -> str:
    """Return the queue of a new conversation; raises InvalidField where the site has no such queue or channel."""
    queue = context.rules.profile.queue(command.queue, command.channel)
    if queue is not None:
        return queue.id
    if command.queue:
        raise InvalidField("conversation.queue", "this site has no such queue")
    raise InvalidField("conversation.channel", "this site does not take this channel")


def customers_own(command: Open, context: Context) -> None:
    """A customer opens conversations only as themselves, by the channel of their token."""
    caller = context.caller
    if caller.kind is not CallerKind.CUSTOMER:
        return
    if (
        not caller.customer
        or command.customer != caller.customer
        or (caller.channel and command.channel != caller.channel)
    ):
        raise Forbidden


def bot_first(profile: Profile, *, surge: bool, patience_s: float) -> bool:
    """Whether the bot answers first: always, or in a surge, as the site says; never where none is attached."""
    return patience_s > 0 and (profile.bot.mode == "ALWAYS" or (profile.bot.mode == "SURGE_ONLY" and surge))


def _opened(draft: Draft, fact: Fact | None) -> None:
    c = draft.c
    draft.record("open", Moved("open", "", c.state, c.queue, c.channel), fact)


def _fresh(command: Open, context: Context, queue: str, burst: str) -> Conversation:
    now = context.now
    return Conversation(
        site=context.rules.profile.site,
        id=context.new_id(),
        channel=command.channel,
        external_id=command.external_id,
        queue=queue,
        customer=command.customer,
        customer_name_sealed=command.customer_name_sealed,
        tier=command.tier or context.rules.profile.routing.default_tier,
        subject=command.subject,
        state=State.NEW,
        version=0,
        assignee="",
        accountable_owner="",
        clocks=(),
        need="",
        source="",
        summary="",
        transfers=0,
        rating=0,
        call_state=CallState.NONE,
        rings=0,
        answered_at=None,
        created_at=now,
        updated_at=now,
        queued_at=None,
        assigned_at=None,
        customer_at=now,
        first_response_at=None,
        ended_at=None,
        rating_until=None,
        bot_until=None,
        timer_at=None,
        burst_key=burst,
        handed_to_person=False,
        resume_state="",
        refused=(),
        rating_comment="",
        profile_version=context.rules.profile.version,
        simulated=command.simulated,
        silent=False,
        redirect_target="",
    )
