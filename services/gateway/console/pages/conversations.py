"""Searching conversations."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, request, url_for
from kefu.intake.v1 import conversation_pb2 as pb

from services.gateway.console import views
from services.gateway.console.backend import stamp
from services.gateway.console.present import conversations as present
from services.gateway.console.shell import Shell
from services.kit.errors import InvalidArgument

_PAGE = 50


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/conversations")
    def conversations(site: str) -> str:
        frame = shell.frame(site, "conversations")
        asked = {name: request.args.get(name, "") for name in ("query", "state", "queue", "assignee", "from", "to")}
        reply = shell.backend(site).conversations(
            **_filters(asked, frame.site.timezone), page_size=_PAGE, page_token=request.args.get("page", "")
        )
        names = shell.names(site)
        return shell.render(
            "pages/conversations.html",
            frame=frame,
            query=SimpleNamespace(**asked, since=asked["from"], until=asked["to"]),
            states=[present.state_name(state) for state in pb.Conversation.State.values() if state],
            people=[views.Option(person, name) for person, name in names.items()],
            names=names,
            rows=[_row(site, c) for c in reply.conversations],
            next_href=f"?{urlencode({**asked, 'page': reply.next_page_token})}" if reply.next_page_token else "",
        )

    def _row(site: str, c: pb.Conversation) -> views.Row:
        identity = present.conversation_id(c.name)
        href = url_for("console.desk_conversation", site=site, conversation=identity)
        return present.row(c, me=shell.person().id, href=href)


def _filters(asked: dict[str, str], timezone: str) -> dict[str, Any]:
    filters: dict[str, Any] = {name: asked[name] for name in ("query", "queue", "assignee") if asked[name]}
    if asked["state"]:
        try:
            filters["states"] = [pb.Conversation.State.Value(f"STATE_{asked['state']}")]
        except ValueError:
            raise InvalidArgument.field("state", asked["state"][:40]) from None
    if asked["from"]:
        filters["create_time_from"] = stamp(midnight(asked["from"], timezone))
    if asked["to"]:
        filters["create_time_to"] = stamp(midnight(asked["to"], timezone) + timedelta(days=1))
    return filters


def midnight(day: str, timezone: str) -> datetime:
    """The beginning of a day, YYYY-MM-DD, at the site; InvalidArgument for anything else."""
    try:
        return datetime.combine(date.fromisoformat(day), time(), ZoneInfo(timezone))
    except ValueError:
        raise InvalidArgument.field("date", "YYYY-MM-DD") from None
