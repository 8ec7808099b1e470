"""Recordings: the list, and a player or transcript for one of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, request, stream_with_context, url_for
from kefu.qa.v1 import recording_pb2 as pb
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console.pages.customers import id_of
from services.gateway.console.qa import Qa
from services.gateway.console.shell import Shell
from services.kit.errors import KefuError

KINDS: Final = tuple(name.removeprefix("KIND_") for name, value in pb.Recording.Kind.items() if value)
STATES: Final = tuple(name.removeprefix("STATE_") for name, value in pb.Recording.State.items() if value)


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/recordings")
    def recordings(site: str) -> str:
        frame = shell.frame(site, "recordings")
        asked = {name: request.args.get(name, "") for name in ("person", "kind", "state")}
        found = Qa(shell.gate, site).recordings(
            person=asked["person"],
            kind=f"KIND_{asked['kind']}" if asked["kind"] in KINDS else 0,
            state=f"STATE_{asked['state']}" if asked["state"] in STATES else 0,
            page_token=request.args.get("page", ""),
        )
        token = found.next_page_token
        return shell.render(
            "pages/recordings.html",
            frame=frame,
            recordings=found.recordings,
            names=shell.names(site),
            asked=asked,
            kinds=KINDS,
            states=STATES,
            next_href=f"?{urlencode({**asked, 'page': token})}" if token else "",
            **_of_templates(),
        )

    @blueprint.get("/s/<site>/recordings/<recording>")
    def recording(site: str, recording: str) -> str:
        return _one(site, recording, playback=request.args.get("playback", ""))

    @blueprint.post("/s/<site>/recordings/<recording>/open")
    def open_recording(site: str, recording: str) -> AnyResponse:
        form = request.form
        qa = Qa(shell.gate, shell.site(site).id)
        try:
            opened = qa.play(recording, unmasked=bool(form.get("unmasked")), reason=form.get("reason", "").strip())
        except KefuError as error:
            return Response(_one(site, recording, fault=shell.fault(error)), 422)
        here = url_for("console.recording", site=site, recording=recording, playback=id_of(opened.name))
        return redirect(here, 303)

    @blueprint.get("/s/<site>/recordings/<recording>/media/<playback>")
    def recording_media(site: str, recording: str, playback: str) -> Response:
        qa = Qa(shell.gate, shell.site(site).id)
        head = qa.piece(recording, playback, 0, 1)
        wanted = request.range.range_for_length(head.size_bytes) if request.range else None
        if request.range and wanted is None:
            return Response(status=416, headers={"Content-Range": f"bytes */{head.size_bytes}"})
        start, end = wanted or (0, head.size_bytes)

        def pieces() -> Iterator[bytes]:
            at = start
            while at < end:
                piece = qa.piece(recording, playback, at, end - at).piece
                yield piece
                at += len(piece)

        response = Response(stream_with_context(pieces()), 206 if wanted else 200, content_type=head.media_type)
        response.headers["Accept-Ranges"] = "bytes"
        response.headers["Content-Length"] = str(end - start)
        response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
        if wanted:
            response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{head.size_bytes}"
        return response

    def _one(site: str, recording: str, *, playback: str = "", fault: str = "") -> str:
        frame = shell.frame(site, "recordings")
        qa = Qa(shell.gate, site)
        found = qa.recording(recording)
        transcript = qa.transcript(recording, playback) if playback and kind_of(found) == "TRANSCRIPT" else None
        return shell.render(
            "pages/recording.html",
            frame=frame,
            recording=found,
            id=recording,
            names=shell.names(site),
            playback=playback,
            transcript=transcript,
            may_play=shell.gate.may("recordings.play", site),
            may_unmask=shell.gate.may("recordings.unmask", site),
            fault=fault,
            **_of_templates(),
        )


def _of_templates() -> dict[str, Any]:
    return {"id_of": id_of, "kind_of": kind_of, "state_of": state_of, "utc": UTC}


def kind_of(recording: pb.Recording) -> str:
    """A recording's kind without its prefix."""
    return pb.Recording.Kind.Name(recording.kind).removeprefix("KIND_")


def state_of(recording: pb.Recording) -> str:
    """A recording's state without its prefix."""
    return pb.Recording.State.Name(recording.state).removeprefix("STATE_")
