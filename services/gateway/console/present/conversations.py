"""Conversations, messages and promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as rpc

from services.gateway.console import views
from services.gateway.console.texts import Texts

State = pb.Conversation.State
ENDED: Final = frozenset({"CLOSED", "ABANDONED", "REDIRECTED"})
SETTLED: Final = ENDED | {"AWAITING_RATING"}
_TALKING: Final = frozenset({"RECEPTION", "SERVING", "PENDING_VERIFICATION", "HANDOFF_PENDING", "WRAP_UP"})
# State → what its life cycle allows to whoever holds the conversation (ENTITIES §7.1).
_HOLDER: Final[Mapping[str, frozenset[str]]] = {
    "RECEPTION": frozenset({"need", "transfer", "redirect", "harassment"}),
    "SERVING": frozenset({"need", "transfer", "hold", "redirect", "harassment", "close"}),
    "PENDING_VERIFICATION": frozenset({"resume", "redirect"}),
    "WRAP_UP": frozenset({"close"}),
}
_REOPENABLE: Final = frozenset({"CLOSED", "AWAITING_RATING", "ABANDONED"})


def at(stamp: Timestamp) -> datetime:
    """An aware instant."""
    return stamp.ToDatetime(tzinfo=UTC)


def state_name(state: pb.Conversation.State.ValueType) -> str:
    """The state without its prefix."""
    return State.Name(state).removeprefix("STATE_")


def conversation_id(name: str) -> str:
    """The last part of a resource name."""
    return name.rsplit("/", 1)[-1]


def clock(promise: pb.Clock) -> views.Clock:
    """One promise."""
    return views.Clock(
        kind=pb.Clock.Kind.Name(promise.kind).removeprefix("KIND_"),
        state=pb.Clock.State.Name(promise.state).removeprefix("STATE_"),
        start=at(promise.start_time),
        due=at(promise.due_time),
        target_seconds=promise.target_seconds,
        stop=at(promise.stop_time) if promise.HasField("stop_time") else None,
    )


def urgent(clocks: Iterable[views.Clock]) -> views.Clock | None:
    """The promise that is due first among those that run."""
    return min((promise for promise in clocks if promise.open), key=lambda promise: promise.due, default=None)


def row(c: pb.Conversation, *, me: str, href: str, selected: str = "", default_tier: str = "") -> views.Row:
    """A conversation in a list."""
    identity, state = conversation_id(c.name), state_name(c.state)
    return views.Row(
        id=identity,
        href=href,
        customer=c.customer_name or c.customer,
        subject=c.subject or c.need or c.summary,
        channel=pb.Channel.Name(c.channel).removeprefix("CHANNEL_"),
        queue=c.queue,
        state=state,
        tier="" if c.tier == default_tier else c.tier,
        created=at(c.create_time),
        updated=at(c.update_time),
        assignee=c.assignee,
        clock=urgent(clock(promise) for promise in c.clocks),
        offered=is_offered(c, me),
        selected=identity == selected,
        simulated=c.simulated,
        rating=c.rating,
    )


def is_offered(c: pb.Conversation, me: str) -> bool:
    """Whether the conversation waits for this person to accept it."""
    if c.assignee != me:
        return False
    return c.state == State.STATE_ASSIGNED or (c.state == State.STATE_HANDOFF_PENDING and c.accountable_owner != me)


def actions(c: pb.Conversation, *, me: str, may: Callable[[str], bool], greeted: bool) -> frozenset[str]:
    """What the page offers; the service decides again."""
    state, found = state_name(c.state), set[str]()
    serves, supervises = may("conversations.serve"), may("conversations.supervise")
    if is_offered(c, me) and serves:
        found |= {"accept", "decline"}
    elif serves and (me in (c.assignee, c.accountable_owner) or supervises):
        found |= _HOLDER.get(state, frozenset())
        if state in _TALKING and (me in (c.assignee, c.accountable_owner)):
            found.add("reply")
            if not greeted:
                found.add("greet")
    if may("conversations.write"):
        found.add("note")
        if state in _REOPENABLE:
            found.add("reopen")
    if state == "HARASSMENT_HOLD" and supervises:
        found.add("release")
    return frozenset(found)


_SIDES: Final = {
    pb.Message.AUTHOR_KIND_CUSTOMER: "customer",
    pb.Message.AUTHOR_KIND_BOT: "bot",
    pb.Message.AUTHOR_KIND_SYSTEM: "system",
}


def messages(
    found: Sequence[pb.Message],
    *,
    names: Mapping[str, str],
    customer: str,
    local: Callable[[datetime], datetime],
    file_href: Callable[[str], str],
) -> list[views.Message]:
    """The thread, oldest first, with a date line wherever the site's day changes."""
    shown: list[views.Message] = []
    day: date | None = None
    for message in found:
        time = at(message.create_time)
        today = local(time).date()
        side = "note" if message.kind == pb.Message.KIND_NOTE else _SIDES.get(message.author_kind, "agent")
        author = customer if side == "customer" else names.get(message.author, message.author)
        shown.append(
            views.Message(
                id=conversation_id(message.name),
                side=side,
                author=author,
                text=message.text if not message.attachment else "",
                time=time,
                kind=pb.Message.Kind.Name(message.kind).removeprefix("KIND_"),
                attachment=_file(message, file_href) if message.attachment else None,
                new_day=today != day,
            )
        )
        day = today
    return shown


def _file(message: pb.Message, file_href: Callable[[str], str]) -> views.Attachment:
    # The text of an attachment is its file name; the file itself is read only when somebody opens it.
    name = message.text or conversation_id(message.attachment)
    ending = name.rsplit(".", 1)[-1].lower()
    media_type = "image/*" if ending in {"png", "jpg", "jpeg", "gif", "webp"} else ""
    return views.Attachment(file_href(conversation_id(message.attachment)), name, media_type, 0)


SUBJECTS: Final = {"assign": "assigned", "message": "said"}


def history(entries: Iterable[rpc.HistoryEntry], *, names: Mapping[str, str], words: Texts) -> list[views.Entry]:
    """What happened, in words, the newest first."""
    shown = [
        views.Entry(at(entry.time), _what(entry.what, words), _actor(entry.actor, names, words)) for entry in entries
    ]
    return shown[::-1]


def _what(what: str, words: Texts) -> str:
    """Words for "accept", "assign ROUTED", "message AGENT" and "FIRST_RESPONSE MET"; anything newer as it is."""
    subject, _, change = what.partition(" ")
    if not change:
        return words(f"move.{what}") if words.has(f"move.{what}") else what
    if subject in SUBJECTS:
        key = f"{SUBJECTS[subject]}.{change}"
        return words(key) if words.has(key) else what
    if words.has(f"clock.{subject}") and words.has(f"change.{change}"):
        return words("change.of", name=words(f"clock.{subject}"), change=words(f"change.{change}"))
    return what


def _actor(actor: str, names: Mapping[str, str], words: Texts) -> str:
    return words(f"actor.{actor}") if words.has(f"actor.{actor}") else names.get(actor, actor)
