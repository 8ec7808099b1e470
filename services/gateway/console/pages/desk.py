"""The agent's desk: its pages and the fragments that live updates fetch again."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, request, url_for
from kefu.intake.v1 import conversation_pb2 as pb

from services.gateway.console import views
from services.gateway.console.present import conversations as present
from services.gateway.console.shell import Shell, presence_name

SOURCES: Final = (
    "SEARCH", "ADVERTISEMENT", "RECOMMENDATION", "RETURNING", "ORDER", "LIVE_ROOM", "STORE", "OTHER",
)  # fmt: skip
_MINE: Final = [
    pb.Conversation.State.Value(f"STATE_{name}")
    for name in (
        "ASSIGNED",
        "RECEPTION",
        "SERVING",
        "PENDING_VERIFICATION",
        "HANDOFF_PENDING",
        "WRAP_UP",
        "HARASSMENT_HOLD",
    )
]
_AT_WORK: Final = frozenset({"AVAILABLE", "BUSY"})
_EARLIER: Final = 6


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/desk")
    def desk(site: str) -> str:
        frame = shell.frame(site, "desk")
        return _page(shell, frame, None)

    @blueprint.get("/s/<site>/desk/<conversation>")
    def desk_conversation(site: str, conversation: str) -> str:
        frame = shell.frame(site, "desk")
        return _page(shell, frame, read(shell, frame.site, conversation))

    @blueprint.get("/s/<site>/desk-list")
    def desk_list(site: str) -> str:
        frame = shell.frame(site, "desk")
        selected = request.args.get("open", "")
        return shell.render("desk/list.html", frame=frame, desk=_lists(shell, frame.site, selected))

    @blueprint.get("/s/<site>/desk/<conversation>/head")
    def desk_head(site: str, conversation: str) -> str:
        frame = shell.part(site)
        opened = read(shell, frame.site, conversation, thread=False)
        changed = ("reply" in opened.actions) != bool(request.args.get("writes"))
        return shell.render("desk/head.html", frame=frame, c=opened, composer_changed=changed)

    @blueprint.get("/s/<site>/desk/<conversation>/thread")
    def thread(site: str, conversation: str) -> str:
        frame = shell.part(site)
        return shell.render("desk/thread.html", frame=frame, c=read(shell, frame.site, conversation, about=False))

    @blueprint.get("/s/<site>/desk/<conversation>/details")
    def details(site: str, conversation: str) -> str:
        frame = shell.part(site)
        opened = read(shell, frame.site, conversation, thread=False, about=True)
        return shell.render("desk/details.html", frame=frame, c=opened, sources=SOURCES, refreshed=True)


def _page(shell: Shell, frame: views.Frame, opened: views.Conversation | None) -> str:
    site = frame.site
    lists = _lists(shell, site, opened.row.id if opened else "")
    return shell.render(
        "pages/desk.html",
        frame=frame,
        desk=views.Desk(lists.offered, lists.mine, lists.waiting, lists.oldest_wait_seconds, opened),
        sources=SOURCES,
        site_stream=shell.stream(f"sites/{site.id}:watch"),
        conversation_stream=shell.stream(f"sites/{site.id}/conversations/{opened.row.id}:watch") if opened else "",
    )


def _lists(shell: Shell, site: views.Site, selected: str) -> views.Desk:
    me, backend = shell.person().id, shell.backend(site.id)
    found = backend.conversations(assignee=me, states=_MINE, page_size=100).conversations
    rows = [_row(shell, site, c, selected) for c in found]
    # What is due first stands first; without a promise, what moved last.
    rows.sort(key=_urgency)
    board = backend.wallboard()
    return views.Desk(
        offered=[row for row in rows if row.offered],
        mine=[row for row in rows if not row.offered],
        waiting=sum(queue.waiting for queue in board.queues),
        oldest_wait_seconds=max((queue.oldest_wait_seconds for queue in board.queues if queue.waiting), default=0.0),
    )


def _urgency(row: views.Row) -> tuple[bool, float]:
    return (False, row.clock.due.timestamp()) if row.clock else (True, -row.updated.timestamp())


def _row(shell: Shell, site: views.Site, c: pb.Conversation, selected: str = "") -> views.Row:
    identity = present.conversation_id(c.name)
    return present.row(
        c,
        me=shell.person().id,
        href=url_for("console.desk_conversation", site=site.id, conversation=identity),
        selected=selected,
        default_tier=shell.profiles()[site.id].routing.default_tier,
    )


def read(
    shell: Shell, site: views.Site, conversation: str, *, thread: bool = True, about: bool | None = None
) -> views.Conversation:
    """A conversation with its thread, and (`about`, by default with the thread) history and earlier conversations."""
    backend, me = shell.backend(site.id), shell.person().id
    c = backend.conversation(conversation)
    names = shell.names(site.id)
    found = backend.messages(conversation) if thread else ()
    greeted = not thread or any(message.author_kind == pb.Message.AUTHOR_KIND_AGENT for message in found)
    row = _row(shell, site, c, conversation)
    about = thread if about is None else about
    return views.Conversation(
        row=row,
        messages=present.messages(
            found,
            names=names,
            customer=row.customer or shell.words()("desk.guest"),
            local=shell.formats(site.timezone).local,
            file_href=lambda file: url_for("console.file", site=site.id, conversation=conversation, attachment=file),
        )
        if thread
        else (),
        clocks=sorted(
            (present.clock(promise) for promise in c.clocks), key=lambda promise: promise.start, reverse=True
        ),
        actions=present.actions(c, me=me, may=lambda permission: shell.gate.may(permission, site.id), greeted=greeted),
        need=c.need,
        source=c.source,
        summary=c.summary,
        owner=c.accountable_owner,
        owner_label=names.get(c.accountable_owner, c.accountable_owner),
        assignee_label=names.get(c.assignee, c.assignee),
        transfers=c.transfers,
        queue_position=c.queue_position,
        customer_id=c.customer,
        earlier=_earlier(shell, site, c) if about else (),
        history=present.history(backend.history(conversation), names=names, words=shell.words()) if about else (),
        people=_targets(shell, site, c) if thread and about else (),
    )


def _earlier(shell: Shell, site: views.Site, c: pb.Conversation) -> list[views.Row]:
    if not c.customer:
        return []
    found = shell.backend(site.id).conversations(customer=c.customer, page_size=_EARLIER + 1).conversations
    return [_row(shell, site, one) for one in found if one.name != c.name][:_EARLIER]


def _targets(shell: Shell, site: views.Site, c: pb.Conversation) -> list[views.Option]:
    """Whom it can be handed to: certified colleagues at their desk."""
    return [
        views.Option(one.name.rsplit("/", 1)[-1], one.display_name)
        for one in shell.colleagues(site.id)
        if one.active
        and one.certified
        and not one.name.endswith(f"/{c.assignee}")
        and presence_name(one.presence.state) in _AT_WORK
    ]
