"""The RPC edge of commitments and contact tasks."""

from __future__ import annotations

from datetime import UTC, datetime

from kefu.crm.v1 import care_service_pb2 as api
from kefu.crm.v1 import care_service_pb2_grpc as api_grpc

from services.crm import convert_relations as convert
from services.crm.commands.commitments import Commitments
from services.crm.commands.contact_tasks import ContactTasks
from services.crm.servicer.days import period_of
from services.crm.servicer.desk import COMMITMENT, CUSTOMER, SITE, TASK, Context, Desk, size_of
from services.crm.store import commitments, contact_tasks
from services.crm.store.words import WordStore
from services.kit import pages
from services.kit.db import Transaction

_FIRST = ["0001-01-01T00:00:00+00:00", ""]


class CareServicer(api_grpc.CareServiceServicer):
    """kefu.crm.v1.CareService."""

    def __init__(self, desk: Desk, promises: Commitments, tasks: ContactTasks, words: WordStore) -> None:
        self._desk = desk
        self._promises = promises
        self._tasks = tasks
        self._words = words

    async def RecordCommitment(self, request: api.RecordCommitmentRequest, context: Context) -> api.Commitment:
        """Record a promise."""
        site, customer = CUSTOMER.parse(request.parent, "parent")

        async def run(tx: Transaction, actor: str) -> api.Commitment:
            made = await self._promises.record(
                tx,
                site,
                customer,
                promise=request.promise,
                due_at=request.due_time.ToDatetime(UTC),
                owner=request.owner,
                conversation=request.conversation,
                actor=actor,
            )
            return convert.commitment_to(made)

        return await self._desk.write(site, run, api.Commitment)

    async def KeepCommitment(self, request: api.KeepCommitmentRequest, context: Context) -> api.Commitment:
        """Note how a promise was kept."""
        site, id_ = COMMITMENT.parse(request.name)

        async def run(tx: Transaction, actor: str) -> api.Commitment:
            return convert.commitment_to(await self._promises.keep(tx, site, id_, note=request.note, actor=actor))

        return await self._desk.write(site, run, api.Commitment)

    async def ListCommitments(
        self, request: api.ListCommitmentsRequest, context: Context
    ) -> api.ListCommitmentsResponse:
        """Promises by due time."""
        (site,) = SITE.parse(request.parent, "parent")
        size, (at, id_) = size_of(request), pages.decode(request) or _FIRST
        state = convert.state_from(api.Commitment.State.Name(request.state))
        after = (datetime.fromisoformat(at).astimezone(UTC), str(id_))
        async with self._desk.read(site) as tx:
            found = await commitments.page(tx, site, state=state, owner=request.owner, after=after, limit=size + 1)
            words = await self._words.of(tx, site, [one.name for one in found[:size]])
        last = found[size - 1] if len(found) > size else None
        return api.ListCommitmentsResponse(
            commitments=[convert.commitment_to(one, words) for one in found[:size]],
            next_page_token=pages.encode(request, [last.due_at, last.id]) if last else "",
        )

    async def GetCommitmentReport(
        self, request: api.GetCommitmentReportRequest, context: Context
    ) -> api.CommitmentReport:
        """How everybody keeps their word."""
        (site,) = SITE.parse(request.parent, "parent")
        async with self._desk.read(site) as tx:
            period = period_of(self._desk.profile(site), tx.now, request.first_day, request.last_day)
            found = await commitments.report(tx, site, *period)
        return api.CommitmentReport(
            owners=[
                api.CommitmentCount(owner=one.owner, kept=one.kept, broken=one.broken, open=one.open) for one in found
            ]
        )

    async def ListContactTasks(
        self, request: api.ListContactTasksRequest, context: Context
    ) -> api.ListContactTasksResponse:
        """Old customers to have a word with."""
        (site,) = SITE.parse(request.parent, "parent")
        size, after = size_of(request), str((pages.decode(request) or [""])[0])
        state = convert.state_from(api.ContactTask.State.Name(request.state))
        async with self._desk.read(site) as tx:
            found = await contact_tasks.page(tx, site, state=state, after=after, limit=size + 1)
            words = await self._words.of(tx, site, [one.name for one in found[:size]])
        token = pages.encode(request, [found[size - 1].id]) if len(found) > size else ""
        shown = [convert.task_to(one, words) for one in found[:size]]
        return api.ListContactTasksResponse(tasks=shown, next_page_token=token)

    async def CompleteContactTask(self, request: api.CompleteContactTaskRequest, context: Context) -> api.ContactTask:
        """Note what came of a contact."""
        site, id_ = TASK.parse(request.name)

        async def run(tx: Transaction, actor: str) -> api.ContactTask:
            return convert.task_to(await self._tasks.complete(tx, site, id_, note=request.note, actor=actor))

        return await self._desk.write(site, run, api.ContactTask)

    async def SkipContactTask(self, request: api.SkipContactTaskRequest, context: Context) -> api.ContactTask:
        """Let a task be."""
        site, id_ = TASK.parse(request.name)

        async def run(tx: Transaction, actor: str) -> api.ContactTask:
            return convert.task_to(await self._tasks.skip(tx, site, id_, reason=request.reason, actor=actor))

        return await self._desk.write(site, run, api.ContactTask)
