"""What a person does with a conversation: write, send files, take it through its life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, Response, request, url_for
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as rpc
from werkzeug.datastructures import FileStorage

from services.gateway.console.backend import PLAIN, Backend
from services.gateway.console.shell import Shell, done, refused
from services.kit.errors import InvalidArgument, NotFound

MEDIA: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/plain"})
MAX_FILE_BYTES: Final = 2 * 1024 * 1024
_KINDS: Final = {"TEXT": pb.Message.KIND_TEXT, "NOTE": pb.Message.KIND_NOTE, "GREETING": pb.Message.KIND_GREETING}
# After these the conversation is no longer this person's to look at first.
_LEAVE: Final = frozenset({"decline"})
_STAY: Final = frozenset({"need"})


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.post("/s/<site>/desk/<conversation>/messages")
    def send(site: str, conversation: str) -> Response:
        backend, words = shell.backend(shell.site(site).id), shell.words()
        form = request.form
        kind, text, key = form.get("kind", "TEXT"), form.get("text", "").strip(), form.get("request_id", "")
        if kind not in _KINDS:
            raise InvalidArgument.field("kind", ", ".join(_KINDS))
        if kind == "GREETING":
            text = words("desk.greeting", name=shell.person().display_name)
        file = request.files.get("file")
        if file is not None and file.filename:
            fault = send_file(backend, conversation, file, key)
            if fault:
                return refused(words(fault), 422)
        elif not text:
            return refused(words("error.empty"), 422)
        if text:
            backend.append(conversation, pb.Message(kind=_KINDS[kind], text=text), request_id=key)
        return done(events={"kefu:sent": True, "kefu:refresh": True})

    @blueprint.get("/s/<site>/files/<conversation>/<attachment>")
    def file(site: str, conversation: str, attachment: str) -> Response:
        return file_response(shell.backend(shell.site(site).id).attachment(conversation, attachment))

    @blueprint.post("/s/<site>/desk/<conversation>/<action>")
    def act(site: str, conversation: str, action: str) -> Response:
        if action not in PLAIN or action not in ACTIONS:
            raise NotFound(metadata={"name": action})
        shell.backend(shell.site(site).id).act(action, conversation, **ACTIONS[action]())
        words = shell.words()(f"done.{action}")
        if action in _STAY:
            return done(words, events={"kefu:refresh": True, "kefu:done": True})
        if action in _LEAVE:
            return done(go=url_for("console.desk", site=site))
        return done(go=url_for("console.desk_conversation", site=site, conversation=conversation))


def send_file(backend: Backend, conversation: str, file: FileStorage, key: str) -> str:
    """Stores a file and sends it; the key of the words that say why not, or an empty text."""
    content = file.stream.read(MAX_FILE_BYTES + 1)
    media_type = file.mimetype or ""
    if media_type not in MEDIA:
        return "error.file_kind"
    if len(content) > MAX_FILE_BYTES:
        return "error.file_size"
    name = (file.filename or "file").replace("\\", "/").rsplit("/", 1)[-1][-200:]
    stored = backend.attach(
        conversation, file_name=name, media_type=media_type, content=content, request_id=key and f"{key}-file"
    )
    message = pb.Message(kind=pb.Message.KIND_ATTACHMENT, text=name, attachment=stored.name)
    backend.append(conversation, message, request_id=key and f"{key}-sent")
    return ""


def file_response(found: rpc.AttachmentContent) -> Response:
    """The file; never run, whatever is in it."""
    response = Response(found.content, content_type=found.attachment.media_type)
    inline = found.attachment.media_type.startswith("image/")
    response.headers.set(
        "Content-Disposition", "inline" if inline else "attachment", filename=found.attachment.file_name
    )
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


def _transfer() -> dict[str, Any]:
    kind, _, target = request.form.get("target", "").partition(":")
    if kind not in ("person", "queue"):
        raise InvalidArgument.field("target", "person:… / queue:…")
    return {kind: target, "reason": request.form.get("reason", "").strip()}


def _close() -> dict[str, Any]:
    form = request.form
    return {
        "summary": form.get("summary", "").strip(),
        "asked_anything_else": bool(form.get("asked_anything_else")),
        "farewell": bool(form.get("farewell")),
        "need": form.get("need", "").strip(),
        "source": form.get("source", ""),
    }


def _redirect() -> dict[str, Any]:
    known = {"PHONE": rpc.REDIRECT_TARGET_PHONE, "TICKET": rpc.REDIRECT_TARGET_TICKET}
    return {"target": known.get(request.form.get("target", ""), rpc.REDIRECT_TARGET_UNSPECIFIED)}


def _nothing() -> dict[str, Any]:
    return {}


ACTIONS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "accept": _nothing,
    "decline": _nothing,
    "hold": _nothing,
    "resume": _nothing,
    "reopen": _nothing,
    "need": lambda: {"need": request.form.get("need", "").strip(), "source": request.form.get("source", "")},
    "transfer": _transfer,
    "redirect": _redirect,
    "harassment": lambda: {"reason": request.form.get("reason", "").strip()},
    "release": lambda: {"resume": bool(request.form.get("resume"))},
    "close": _close,
}
