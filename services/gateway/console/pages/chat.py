"""The customers' chat page."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request, url_for
from kefu.intake.v1 import conversation_pb2 as pb
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console import views
from services.gateway.console.backend import Backend
from services.gateway.console.pages.desk_actions import file_response
from services.gateway.console.present import conversations as present
from services.gateway.console.present.sites import web_queues
from services.gateway.console.shell import Shell, done, refused
from services.kit.errors import NotFound

_TALKING = frozenset({"RECEPTION", "SERVING", "PENDING_VERIFICATION", "HANDOFF_PENDING"})
_COOKIE = "kefu_chat"


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/chat/<site>")
    def chat(site: str) -> str:
        view, shown = shell.public_site(site), _read(site)
        return shell.render(
            "pages/chat.html",
            timezone=view.timezone,
            site=view,
            chat=shown,
            queues=web_queues(shell.profiles()[site], shell.language()),
            stream=shell.stream(f"sites/{site}/conversations/{shown.conversation}:watch?as=visitor"),
        )

    @blueprint.get("/chat/<site>/thread")
    def chat_thread(site: str) -> str:
        view, shown = shell.public_site(site), _read(site)
        # The field is replaced only when another one belongs there: nobody's half-written words are lost.
        changed = _field(request.args.get("stage", "")) != _field(shown.stage)
        return shell.render("chat/thread.html", timezone=view.timezone, site=view, chat=shown, refresh_write=changed)

    @blueprint.post("/chat/<site>/start")
    def chat_start(site: str) -> AnyResponse:
        form = request.form
        text = form.get("text", "").strip()
        response = redirect(url_for("console.chat", site=shell.public_site(site).id), 303)
        if text:
            opened = shell.backend(site, visitor=True).create(
                customer=shell.gate.visitor(site),
                customer_name=form.get("name", "").strip(),
                queue=form.get("queue", ""),
                text=text,
                request_id=form.get("request_id", ""),
            )
            _remember(response, site, present.conversation_id(opened.name))
        return response

    @blueprint.post("/chat/<site>/messages")
    def chat_send(site: str) -> Response:
        form, text = request.form, request.form.get("text", "").strip()
        if not text:
            return refused(shell.words()("error.empty"), 422)
        message = pb.Message(kind=pb.Message.KIND_TEXT, text=text)
        _backend(site).append(_current(site), message, request_id=form.get("request_id", ""))
        return done(events={"kefu:sent": True, "kefu:refresh": True})

    @blueprint.post("/chat/<site>/rating")
    def chat_rate(site: str) -> Response:
        score = request.form.get("score", "")
        comment = request.form.get("comment", "").strip()
        _backend(site).act("rate", _current(site), score=int(score) if score.isdecimal() else 0, comment=comment)
        return done(events={"kefu:refresh": True})

    @blueprint.post("/chat/<site>/leave")
    def chat_leave(site: str) -> Response:
        _backend(site).act("leave", _current(site))
        return done(events={"kefu:refresh": True})

    @blueprint.post("/chat/<site>/again")
    def chat_again(site: str) -> AnyResponse:
        response = redirect(url_for("console.chat", site=shell.public_site(site).id), 303)
        response.delete_cookie(f"{_COOKIE}_{site}", path=f"/chat/{site}")
        return response

    @blueprint.get("/chat/<site>/files/<attachment>")
    def chat_file(site: str, attachment: str) -> Response:
        return file_response(_backend(site).attachment(_current(site), attachment))

    def _backend(site: str) -> Backend:
        return shell.backend(shell.public_site(site).id, visitor=True)

    def _current(site: str) -> str:
        """The conversation that this browser began. The service checks that it is the visitor's own."""
        conversation = request.cookies.get(f"{_COOKIE}_{site}", "")
        if not conversation:
            raise NotFound(metadata={"name": f"sites/{site}/conversations/-"})
        return conversation

    def _read(site: str) -> views.Chat:
        view = shell.public_site(site)
        conversation = request.cookies.get(f"{_COOKIE}_{site}", "")
        if not conversation:
            return views.Chat(stage="start", rating_max=view.rating_max)
        backend = _backend(site)
        try:
            c = backend.conversation(conversation)
        except NotFound:
            return views.Chat(stage="start", rating_max=view.rating_max)
        thread = present.messages(
            backend.messages(conversation),
            names={},
            customer="",
            local=shell.formats(view.timezone).local,
            file_href=lambda file: url_for("console.chat_file", site=site, attachment=file),
        )
        return views.Chat(
            stage=_stage(present.state_name(c.state), c.rating),
            conversation=conversation,
            messages=thread,
            queue_position=c.queue_position,
            rating=c.rating,
            rating_max=view.rating_max,
        )


def _stage(state: str, rating: int) -> str:
    if state == "AWAITING_RATING" and not rating:
        return "rating"
    if state in present.SETTLED or state == "WRAP_UP":
        return "over"
    return "talking" if state in _TALKING else "waiting"


def _field(stage: str) -> str:
    """Which field a stage shows: the same one while waiting and while talking."""
    return "talking" if stage == "waiting" else stage


def _remember(response: AnyResponse, site: str, conversation: str) -> None:
    # The id is no secret: without the visitor's signed cookie it opens nothing.
    response.set_cookie(
        f"{_COOKIE}_{site}", conversation, max_age=7 * 86_400, httponly=True, samesite="Lax", path=f"/chat/{site}"
    )
