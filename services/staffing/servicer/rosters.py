"""The RPC edge of rosters: convert, call, convert."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kefu.staffing.v1 import roster_pb2 as pb
from kefu.staffing.v1 import roster_service_pb2 as api
from kefu.staffing.v1 import roster_service_pb2_grpc as api_grpc

from services.kit import pages
from services.kit.call import current
from services.kit.db import Database, Transaction
from services.kit.errors import PermissionDenied
from services.kit.resource_names import ResourceName
from services.policy.desk import Desk
from services.staffing import convert_rosters as convert
from services.staffing.calendar_feed import MEDIA_TYPE, calendar
from services.staffing.commands import rosters as commands
from services.staffing.domain.contract import Contract
from services.staffing.errors import not_found
from services.staffing.store import rosters as store
from services.staffing.store.people import Store

SITE: Final = ResourceName("sites/{site}")
PERSON: Final = ResourceName("sites/{site}/people/{person}")
CONTRACT: Final = ResourceName("sites/{site}/people/{person}/contract")
RUN: Final = ResourceName("sites/{site}/rosterRuns/{roster_run}")
ROSTER: Final = ResourceName("sites/{site}/rosters/{roster}")
WRITE: Final = "rosters.write"
PAGE_MOST: Final = 500
POLL_SECONDS: Final = 1.0
"""A watcher looks by itself so often, should a hint be lost."""
_LATEST: Final = ["9999-12-31T00:00:00+00:00", "~"]

Context = Any


class RosterServicer(api_grpc.RosterServiceServicer):
    """kefu.staffing.v1.RosterService."""

    def __init__(self, desk: Desk, database: Database, people: Store) -> None:
        self._desk, self._database, self._people = desk, database, people

    async def SetContract(self, request: api.SetContractRequest, context: Context) -> pb.Contract:
        """Set a contract as a whole."""
        name = request.contract.name
        site, person = CONTRACT.parse(name, "contract.name")
        contract = convert.contract_from(request.contract)

        async def run(tx: Transaction, actor: str) -> pb.Contract:
            await commands.set_contract(tx, self._people, site=site, person_id=person, contract=contract, actor=actor)
            return convert.contract_to(name, contract)

        return await self._desk.write(site, run, pb.Contract)

    async def GetContract(self, request: api.GetContractRequest, context: Context) -> pb.Contract:
        """A person's contract."""
        site, person = CONTRACT.parse(request.name)
        async with self._desk.read(site) as tx:
            await self._people.get(tx, site, person)
            found: Contract | None = (await store.contracts(tx, site, [person])).get(person)
        if found is None:
            raise not_found(request.name)
        return convert.contract_to(request.name, found)

    async def CreateRosterRun(self, request: api.CreateRosterRunRequest, context: Context) -> pb.RosterRun:
        """Queue a search."""
        (site,) = SITE.parse(request.parent, "parent")
        profile = self._desk.profile(site)
        wanted = await asyncio.to_thread(convert.wanted_from, request, profile)

        async def run(tx: Transaction, actor: str) -> pb.RosterRun:
            run_id = self._database.new_id()
            await commands.create_run(tx, self._people, profile, wanted, run_id=run_id, actor=actor)
            return convert.run_to(await commands.run(tx, site, run_id), profile, whole=False)

        return await self._desk.write(site, run, pb.RosterRun)

    async def GetRosterRun(self, request: api.GetRosterRunRequest, context: Context) -> pb.RosterRun:
        """A run with its best roster so far."""
        site, run_id = RUN.parse(request.name)
        profile = self._desk.profile(site)
        async with self._desk.read(site) as tx:
            return convert.run_to(await commands.run(tx, site, run_id), profile, whole=True)

    async def ListRosterRuns(self, request: api.ListRosterRunsRequest, context: Context) -> api.ListRosterRunsResponse:
        """Runs, latest first."""
        (site,) = SITE.parse(request.parent, "parent")
        profile, size = self._desk.profile(site), pages.page_size(request.page_size, most=PAGE_MOST)
        at, run_id = pages.decode(request) or _LATEST
        async with self._desk.read(site) as tx:
            found = await store.runs(tx, site, before=(datetime.fromisoformat(at), run_id), limit=size + 1)
        last = found[size - 1] if len(found) > size else None
        token = pages.encode(request, [last["created_at"], last["run_id"]]) if last else ""
        shown = [convert.run_to(row, profile, whole=False) for row in found[:size]]
        return api.ListRosterRunsResponse(roster_runs=shown, next_page_token=token)

    async def WatchRosterRun(self, request: api.GetRosterRunRequest, context: Context) -> AsyncIterator[pb.RosterRun]:
        """A run now and after every change, until it has ended."""
        wake, version = self._database.hints.subscribe(commands.WATCHED), 0
        try:
            while True:
                wake.clear()
                shown = await self.GetRosterRun(request, context)
                if shown.version > version:
                    version = shown.version
                    yield shown
                if pb.RosterRun.State.Name(shown.state).removeprefix("STATE_") in commands.ENDED:
                    return
                try:
                    async with asyncio.timeout(POLL_SECONDS):
                        await wake.wait()
                except TimeoutError:
                    continue
        finally:
            self._database.hints.unsubscribe(commands.WATCHED, wake)

    async def CancelRosterRun(self, request: api.CancelRosterRunRequest, context: Context) -> pb.RosterRun:
        """Ask a run to end."""
        site, run_id = RUN.parse(request.name)
        profile = self._desk.profile(site)

        async def run(tx: Transaction, actor: str) -> pb.RosterRun:
            await commands.cancel(tx, site=site, run_id=run_id, actor=actor)
            return convert.run_to(await commands.run(tx, site, run_id), profile, whole=False)

        return await self._desk.write(site, run, pb.RosterRun)

    async def PublishRoster(self, request: api.PublishRosterRequest, context: Context) -> pb.Roster:
        """Publish a roster after the checker has judged it."""
        site, run_id = RUN.parse(request.name)
        profile = self._desk.profile(site)
        given = [convert.shift_from(one, profile) for one in request.shifts]

        async def run(tx: Transaction, actor: str) -> pb.Roster:
            number = await commands.publish(
                tx, self._people, profile, run_id=run_id, given=given, agreed=set(request.agreed), actor=actor
            )
            row, shifts = await store.roster(tx, site, number)
            assert row is not None
            return convert.roster_to(site, row, shifts)

        return await self._desk.write(site, run, pb.Roster)

    async def GetRoster(self, request: api.GetRosterRequest, context: Context) -> pb.Roster:
        """A published roster."""
        site, number = ROSTER.parse(request.name)
        async with self._desk.read(site) as tx:
            row, shifts = await store.roster(tx, site, int(number))
        if row is None:
            raise not_found(request.name)
        return convert.roster_to(site, row, shifts)

    async def ListRosters(self, request: api.ListRostersRequest, context: Context) -> api.ListRostersResponse:
        """Published rosters, latest first."""
        (site,) = SITE.parse(request.parent, "parent")
        size = pages.page_size(request.page_size, most=PAGE_MOST)
        (before,) = pages.decode(request) or [2**31 - 1]
        async with self._desk.read(site) as tx:
            found = await store.rosters(tx, site, before=before, limit=size + 1)
        token = pages.encode(request, [found[size - 1]["number"]]) if len(found) > size else ""
        return api.ListRostersResponse(
            rosters=[convert.roster_to(site, row) for row in found[:size]], next_page_token=token
        )

    async def ExportShifts(self, request: api.ExportShiftsRequest, context: Context) -> api.ExportShiftsResponse:
        """A person's published shifts as an iCalendar."""
        site, person = PERSON.parse(request.name)
        principal = current().principal
        if principal.subject != person and not principal.may(WRITE, site):
            raise PermissionDenied(metadata={"permission": WRITE})
        profile = self._desk.profile(site)
        async with self._desk.read(site) as tx:
            await self._people.get(tx, site, person)
            today = tx.now.astimezone(profile.timezone).date()
            since, until = today - timedelta(days=30), today + timedelta(days=400)
            shifts = await store.standing(tx, site, since, until, person)
            content = calendar(site, shifts, tx.now.astimezone(UTC))
        return api.ExportShiftsResponse(file_name=f"{site}-{person}.ics", media_type=MEDIA_TYPE, content=content)
