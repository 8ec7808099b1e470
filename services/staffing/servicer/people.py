"""The RPC edge of staffing: convert, call, convert."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from kefu.staffing.v1 import person_pb2 as pb
from kefu.staffing.v1 import staffing_service_pb2 as api
from kefu.staffing.v1 import staffing_service_pb2_grpc as api_grpc

from services.kit import masks, pages
from services.kit.call import current
from services.kit.db import Database, Transaction
from services.kit.errors import PermissionDenied
from services.kit.resource_names import ResourceName
from services.kit.uow import UnitOfWork
from services.staffing.commands import people as commands
from services.staffing.convert import person_to, profile_from, state_from
from services.staffing.domain.person import EDITABLE, Person, masked
from services.staffing.metrics import StaffingMetrics
from services.staffing.queries import Zones, online_today
from services.staffing.store.people import Store

SITE = ResourceName("sites/{site}")
PERSON = ResourceName("sites/{site}/people/{person}")
NAMES = "people.names"
MANAGE = "people.manage"
PAGE_MOST = 500

Context = Any


class StaffingServicer(api_grpc.StaffingServiceServicer):
    """kefu.staffing.v1.StaffingService."""

    def __init__(
        self, database: Database, uow: UnitOfWork, store: Store, zones: Zones, metrics: StaffingMetrics
    ) -> None:
        self._database = database
        self._uow = uow
        self._store = store
        self._zones = zones
        self._metrics = metrics

    async def CreatePerson(self, request: api.CreatePersonRequest, context: Context) -> pb.Person:
        """Add a person."""
        (site,) = SITE.parse(request.parent, "parent")
        profile = profile_from(request.person)
        return await self._write(
            site,
            lambda tx, actor: commands.create(
                tx, self._store, site=site, person_id=request.person_id, profile=profile, actor=actor
            ),
        )

    async def GetPerson(self, request: api.GetPersonRequest, context: Context) -> pb.Person:
        """One person."""
        site, person_id = PERSON.parse(request.name)
        zone = self._zones(site)
        async with self._database.reading(sites=[site]) as tx:
            person = await self._store.get(tx, site, person_id)
            online = await online_today(tx, self._store, zone, [person])
        return self._shown(person, online[person_id])

    async def ListPeople(self, request: api.ListPeopleRequest, context: Context) -> api.ListPeopleResponse:
        """The site's people by id."""
        (site,) = SITE.parse(request.parent, "parent")
        zone = self._zones(site)
        size = pages.page_size(request.page_size, most=PAGE_MOST)
        after = str((pages.decode(request) or [""])[0])
        states = [state_from(state) for state in request.presence_states]
        async with self._database.reading(sites=[site]) as tx:
            found = await self._store.page(
                tx, site, after=after, states=states, inactive=request.show_inactive, limit=size + 1
            )
            people = found[:size]
            online = await online_today(tx, self._store, zone, people)
        token = pages.encode(request, [people[-1].id]) if len(found) > size else ""
        shown = [self._shown(person, online[person.id]) for person in people]
        return api.ListPeopleResponse(people=shown, next_page_token=token)

    async def UpdatePerson(self, request: api.UpdatePersonRequest, context: Context) -> pb.Person:
        """Change the masked fields."""
        site, person_id = PERSON.parse(request.person.name, "person.name")
        paths = masks.paths(request.update_mask, request.person, allowed=EDITABLE)
        profile = profile_from(request.person)
        return await self._write(
            site,
            lambda tx, actor: commands.update(
                tx,
                self._store,
                site=site,
                person_id=person_id,
                profile=profile,
                paths=paths,
                etag=request.person.etag,
                actor=actor,
            ),
        )

    async def DeactivatePerson(self, request: api.DeactivatePersonRequest, context: Context) -> pb.Person:
        """End a person's work at the site."""
        site, person_id = PERSON.parse(request.name)
        return await self._write(
            site,
            lambda tx, actor: commands.deactivate(tx, self._store, site=site, person_id=person_id, actor=actor),
        )

    async def SetPresence(self, request: api.SetPresenceRequest, context: Context) -> pb.Presence:
        """Set one's own presence, or somebody's with the permission to manage people."""
        site, person_id = PERSON.parse(request.name)
        principal = current().principal
        if principal.subject != person_id and not principal.may(MANAGE, site):
            raise PermissionDenied(metadata={"permission": MANAGE})
        state = state_from(request.state)
        person = await self._write(
            site,
            lambda tx, actor: commands.set_presence(
                tx,
                self._store,
                site=site,
                person_id=person_id,
                state=state,
                actor=actor,
                counted=self._metrics.presence_changed,
            ),
        )
        return person.presence

    async def _write(self, site: str, handler: Callable[[Transaction, str], Awaitable[Person]]) -> pb.Person:
        """Run a command once per request id and answer with the person as the caller may see them.

        The stored reply has no name in it: names live in the person's row alone, where erasure finds them.
        """
        call = current()
        zone = self._zones(site)

        async def run(tx: Transaction) -> pb.Person:
            person = await handler(tx, call.principal.subject)
            online = await online_today(tx, self._store, zone, [person])
            return person_to(person, online[person.id], display_name="")

        reply = pb.Person.FromString(await self._uow.run(call, run, pb.Person.SerializeToString, sites=[site]))
        async with self._database.reading(sites=[site]) as tx:
            person = await self._store.get(tx, *PERSON.parse(reply.name))
        reply.display_name = self._name(person)
        return reply

    def _shown(self, person: Person, online: int) -> pb.Person:
        return person_to(person, online, display_name=self._name(person))

    def _name(self, person: Person) -> str:
        principal = current().principal
        clear = principal.subject == person.id or principal.may(NAMES, person.site)
        return person.profile.display_name if clear else masked(person.profile.display_name)
