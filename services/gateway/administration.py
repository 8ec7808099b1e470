"""AdministrationService: service accounts and the switch of simulated traffic, for REST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from google.protobuf.message import Message
from kefu.common.v1 import errors_pb2
from kefu.gateway.v1 import administration_service_pb2 as pb

from services.gateway.identity.secrets import digest, new_secret
from services.gateway.oauth import store
from services.gateway.oauth.accounts import OLD_SECRET_SECONDS, check_origin, check_roles
from services.gateway.oauth.store import ServiceAccount
from services.gateway.switches import SIMULATION, read_switch, turn
from services.kit import call as calls
from services.kit import pages
from services.kit.access import EVERY_SITE, Access
from services.kit.audit import Entry
from services.kit.db import Database, Transaction
from services.kit.errors import FailedPrecondition, NotFound
from services.kit.uow import UnitOfWork

_MOST: Final = 200


class AdministrationServicer:
    """Answers on the gateway's loop."""

    def __init__(self, database: Callable[[], Database], access: Access, *, environment: str, simulation: bool) -> None:
        self._database = database
        self._access = access
        self._environment = environment
        self._simulation = simulation

    async def CreateServiceAccount(  # noqa: N802
        self, request: pb.CreateServiceAccountRequest, _: Any
    ) -> pb.CreateServiceAccountResponse:
        """Add a service account."""
        asked = request.service_account
        roles = {one.site: list(one.roles) for one in asked.roles}
        check_roles(roles, self._access)
        for origin in asked.origins:
            check_origin(origin)
        secret = new_secret()
        fresh: list[bool] = []

        async def create(tx: Transaction) -> pb.CreateServiceAccountResponse:
            await store.insert(
                tx,
                request.client_id,
                display_name=asked.title,
                secret_hash=digest(secret),
                roles=roles,
                origins=asked.origins,
            )
            self._note(tx, "service_account_created", request.client_id)
            fresh.append(True)
            made = pb.ServiceAccount(client_id=request.client_id, active=True)
            made.MergeFrom(pb.ServiceAccount(title=asked.title, roles=asked.roles, origins=asked.origins))
            return pb.CreateServiceAccountResponse(service_account=made)

        reply = pb.CreateServiceAccountResponse.FromString(await self._once(create))
        reply.secret = secret if fresh else ""
        return reply

    async def ListServiceAccounts(  # noqa: N802
        self, request: pb.ListServiceAccountsRequest, _: Any
    ) -> pb.ListServiceAccountsResponse:
        """Service accounts by id."""
        size = pages.page_size(request.page_size, most=_MOST)
        position = pages.decode(request)
        found = await store.list_page(self._database(), "" if position is None else str(position[0]), size + 1)
        token = pages.encode(request, [found[size - 1].id]) if len(found) > size else ""
        return pb.ListServiceAccountsResponse(service_accounts=map(to_pb, found[:size]), next_page_token=token)

    async def RotateServiceAccountSecret(  # noqa: N802
        self, request: pb.RotateServiceAccountSecretRequest, _: Any
    ) -> pb.RotateServiceAccountSecretResponse:
        """Make a new secret."""
        secret = new_secret()
        fresh: list[bool] = []

        async def rotate(tx: Transaction) -> pb.RotateServiceAccountSecretResponse:
            if not await store.rotate(tx, request.client_id, digest(secret), OLD_SECRET_SECONDS):
                raise NotFound(metadata={"name": f"serviceAccounts/{request.client_id}"})
            self._note(tx, "service_account_rotated", request.client_id)
            fresh.append(True)
            return pb.RotateServiceAccountSecretResponse()

        await self._once(rotate)
        return pb.RotateServiceAccountSecretResponse(secret=secret if fresh else "")

    async def DisableServiceAccount(self, request: pb.DisableServiceAccountRequest, _: Any) -> pb.ServiceAccount:  # noqa: N802
        """Refuse it from now on."""

        async def disable(tx: Transaction) -> pb.ServiceAccount:
            if not await store.set_active(tx, request.client_id, active=False):
                raise NotFound(metadata={"name": f"serviceAccounts/{request.client_id}"})
            self._note(tx, "service_account_disabled", request.client_id)
            found = await store.get(tx, request.client_id)
            assert found is not None
            return to_pb(found)

        return pb.ServiceAccount.FromString(await self._once(disable))

    async def GetSimulation(self, _request: pb.GetSimulationRequest, _: Any) -> pb.Simulation:  # noqa: N802
        """Whether simulated traffic runs."""
        running = self._simulation and await read_switch(self._database(), EVERY_SITE, SIMULATION)
        return pb.Simulation(running=running, allowed=self._simulation)

    async def SwitchSimulation(self, request: pb.SwitchSimulationRequest, _: Any) -> pb.Simulation:  # noqa: N802
        """Start or stop it."""
        if request.running and not self._simulation:
            raise FailedPrecondition(errors_pb2.ERROR_REASON_SIMULATION_REFUSED, {"environment": self._environment})

        async def switch(tx: Transaction) -> pb.Simulation:
            subject = calls.current().principal.subject
            await turn(tx, EVERY_SITE, SIMULATION, turned_on=request.running, actor=subject)
            return pb.Simulation(running=request.running, allowed=self._simulation)

        return pb.Simulation.FromString(await self._once(switch))

    def _note(self, tx: Transaction, action: str, account: str) -> None:
        tx.audit(Entry(EVERY_SITE, calls.current().principal.subject, action, f"serviceAccounts/{account}"))

    async def _once(self, work: Callable[[Transaction], Awaitable[Message]]) -> bytes:
        return await UnitOfWork(self._database()).run(calls.current(), work, lambda reply: reply.SerializeToString())


def to_pb(account: ServiceAccount) -> pb.ServiceAccount:
    """The message of a service account; never its secret."""
    return pb.ServiceAccount(
        client_id=account.id,
        title=account.display_name,
        roles=[pb.SiteRoles(site=site, roles=sorted(roles)) for site, roles in sorted(account.roles.items())],
        origins=account.origins,
        active=account.active,
    )
