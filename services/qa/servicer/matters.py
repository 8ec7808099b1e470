"""The RPC edge of matters."""

from __future__ import annotations

from datetime import datetime

from kefu.qa.v1 import matter_service_pb2 as api
from kefu.qa.v1 import matter_service_pb2_grpc as api_grpc

from services.kit import pages
from services.kit.call import current
from services.kit.db import Transaction
from services.kit.instants import instant, stamp
from services.policy.desk import Desk
from services.qa.commands.matters import Matters
from services.qa.domain.matter import MANAGE, Matter
from services.qa.errors import not_found
from services.qa.servicer.names import MATTER, SITE, Context, before_of, size_of, uuid_ids
from services.qa.store import matters as store


class MatterServicer(api_grpc.MatterServiceServicer):
    """kefu.qa.v1.MatterService."""

    def __init__(self, desk: Desk, commands: Matters) -> None:
        self._desk = desk
        self._commands = commands

    async def CreateMatter(self, request: api.CreateMatterRequest, context: Context) -> api.Matter:
        """Begin a matter."""
        (site,) = SITE.parse(request.parent, "parent")
        due: datetime | None = instant(request.due_time) if request.HasField("due_time") else None
        severity = request.severity and api.Matter.Severity.Name(request.severity).removeprefix("SEVERITY_")

        async def run(tx: Transaction, _actor: str) -> api.Matter:
            made = await self._commands.create(
                tx,
                site,
                kind=api.Matter.Kind.Name(request.kind).removeprefix("KIND_"),
                code=request.code,
                severity=severity or "",
                person=request.person,
                title=request.title,
                evidence=request.evidence,
                amount_fen=request.amount_fen,
                due_at=due,
                caller=current().principal,
            )
            return _matter_to(made)

        return await self._desk.write(site, run, api.Matter)

    async def GetMatter(self, request: api.GetMatterRequest, context: Context) -> api.Matter:
        """One matter with its words and steps."""
        site, id_ = uuid_ids(MATTER, request.name)
        async with self._desk.read(site) as tx:
            found = await store.get(tx, site, id_)
            if _own_only(site) not in ("", found.person, found.author):
                raise not_found(request.name)
            steps = await store.steps(tx, site, id_)
        made = _matter_to(found)
        made.title, made.note = found.title, found.note
        for row in steps:
            fields = {name: row[name] for name in ("step", "state", "actor", "amount_fen")}
            made.steps.add(time=stamp(row["at"]), **fields)
        return made

    async def ListMatters(self, request: api.ListMattersRequest, context: Context) -> api.ListMattersResponse:
        """Matters, latest first."""
        (site,), size = SITE.parse(request.parent, "parent"), size_of(request)
        kind = api.Matter.Kind.Name(request.kind).removeprefix("KIND_") if request.kind else ""
        person = _own_only(site) or request.person
        async with self._desk.read(site) as tx:
            found = await store.page(
                tx, site, before=before_of(request), kind=kind, state=request.state, person=person, limit=size + 1
            )
        last = found[size - 1] if len(found) > size else None
        token = pages.encode(request, [last.opened_at, last.id]) if last else ""
        return api.ListMattersResponse(matters=map(_matter_to, found[:size]), next_page_token=token)

    async def StepMatter(self, request: api.StepMatterRequest, context: Context) -> api.Matter:
        """Take a step."""
        site, id_ = uuid_ids(MATTER, request.name)

        async def run(tx: Transaction, _actor: str) -> api.Matter:
            caller = current().principal
            return _matter_to(await self._commands.step(tx, site, id_, request.step, request.note, caller=caller))

        return await self._desk.write(site, run, api.Matter)


def _own_only(site: str) -> str:
    caller = current().principal
    return "" if caller.may(MANAGE, site) else caller.subject


def _matter_to(matter: Matter) -> api.Matter:
    return api.Matter(
        name=matter.name,
        kind=api.Matter.Kind.Value(f"KIND_{matter.kind}"),
        state=matter.state,
        code=matter.code,
        severity=api.Matter.Severity.Value(f"SEVERITY_{matter.severity or 'UNSPECIFIED'}"),
        person=matter.person,
        author=matter.author,
        approvers=matter.approvers,
        amount_fen=matter.amount_fen,
        evidence=matter.evidence,
        due_time=stamp(matter.due_at),
        create_time=stamp(matter.opened_at),
        end_time=stamp(matter.ended_at),
        etag=str(matter.revision),
    )
