"""The privacy desk: requests of data subjects, and leave to see clear data."""

from __future__ import annotations

import mimetypes
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import IO, Final

from flask import Blueprint, Response, redirect, request, send_file, url_for
from kefu.crm.v1 import privacy_service_pb2 as pb
from werkzeug.wrappers import Response as AnyResponse

from services.gateway.console.crm import Crm
from services.gateway.console.pages.customers import id_of
from services.gateway.console.shell import Shell
from services.kit.errors import KefuError, NotFound

KINDS: Final = ("EXPORT", "CORRECTION", "ERASURE")
# An export of words alone stays in memory.
_SPOOL_BYTES: Final = 4 * 1024 * 1024
ACTIONS: Final = ("verify", "fulfil", "refuse")


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the routes."""

    @blueprint.get("/s/<site>/privacy")
    def privacy(site: str) -> str:
        return _page(site)

    @blueprint.post("/s/<site>/privacy")
    def open_request(site: str) -> AnyResponse:
        crm, form = _crm(site), request.form
        return _done(site, lambda: crm.open_request(form.get("customer", "").strip(), _kind(form.get("kind", ""))))

    @blueprint.post("/s/<site>/privacy/<data_request>/<action>")
    def act_on_request(site: str, data_request: str, action: str) -> AnyResponse:
        if action not in ACTIONS:
            raise NotFound(metadata={"name": action[:40]})
        crm = _crm(site)
        return _done(site, lambda: crm.act(action, data_request, request.form.get("words", "")))

    @blueprint.post("/s/<site>/privacy/<data_request>/export")
    def fetch_export(site: str, data_request: str) -> AnyResponse:
        try:
            archive = _archive(_crm(site).export(data_request))
        except KefuError as error:
            return Response(_page(site, fault=shell.fault(error)), 422)
        name = f"{data_request}.zip"
        return send_file(archive, mimetype="application/zip", as_attachment=True, download_name=name, max_age=0)

    @blueprint.post("/s/<site>/privacy/grants")
    def decide_grant(site: str) -> AnyResponse:
        crm, form = _crm(site), request.form
        return _done(site, lambda: crm.decide(form.get("grant", ""), granted=form.get("granted") == "yes"))

    def _crm(site: str) -> Crm:
        return Crm(shell.gate, shell.site(site).id)

    def _done(site: str, work: Callable[[], None]) -> AnyResponse:
        try:
            work()
        except KefuError as error:
            return Response(_page(site, fault=shell.fault(error)), 422)
        return redirect(url_for("console.privacy", site=site), 303)

    def _page(site: str, *, fault: str = "") -> str:
        frame = shell.frame(site, "privacy")
        crm = Crm(shell.gate, site)
        return shell.render(
            "pages/privacy.html",
            frame=frame,
            requests=crm.data_requests().data_requests,
            grants=crm.grants().grants if shell.gate.may("customers.approve", site) else (),
            may_decide=shell.gate.may("customers.approve", site),
            kinds=KINDS,
            kind_of=lambda one: pb.DataRequest.Kind.Name(one.kind).removeprefix("KIND_"),
            state_of=lambda one: pb.DataRequest.State.Name(one.state).removeprefix("STATE_"),
            id_of=id_of,
            asked=request.args.get("customer", ""),
            fault=fault,
        )


def _kind(text: str) -> str:
    if text not in KINDS:
        raise NotFound(metadata={"name": text[:40]})
    return text


def _archive(pages: Iterable[pb.DataExport]) -> IO[bytes]:
    """What a customer is told as one ZIP; beyond a few megabytes it waits on disk, in a file without a name."""
    with ExitStack() as unless_done:
        spool = unless_done.enter_context(tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES))
        with zipfile.ZipFile(spool, "w", zipfile.ZIP_DEFLATED) as archive:
            _write(archive, pages)
        spool.seek(0)
        unless_done.pop_all()  # it ends with the response
        return spool


def _write(archive: zipfile.ZipFile, pages: Iterable[pb.DataExport]) -> None:
    with ExitStack() as open_file:
        for page in pages:
            if page.content:
                archive.writestr("data.json", page.content)
            for piece in page.files:
                if not piece.offset:  # a file begins: the one before is whole
                    open_file.close()
                    name = piece.name + (mimetypes.guess_extension(piece.media_type) or "")
                    file = open_file.enter_context(archive.open(name, "w", force_zip64=True))
                file.write(piece.content)
