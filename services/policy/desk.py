"""What every servicer needs: the site's rules, reads of one site, and writes that happen once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TypeVar

from google.protobuf.message import Message
from kefu.common.v1 import errors_pb2

from services.kit.call import current
from services.kit.db import Database, Transaction
from services.kit.errors import NotFound
from services.kit.uow import UnitOfWork
from services.policy.profile import Profile
from services.policy.versions import ProfileSet, SiteUnknownError

Reply = TypeVar("Reply", bound=Message)


class SiteProfiles:
    """Profiles by site; `current` gives the set that is in force."""

    def __init__(self, current: Callable[[], ProfileSet]) -> None:
        self._current = current

    def at(self, site: str, instant: datetime) -> Profile:
        """The profile in force; raises NotFound SITE_UNKNOWN where there is none."""
        try:
            return self._current().at(site, instant)
        except SiteUnknownError as unknown:
            raise NotFound(errors_pb2.ERROR_REASON_SITE_UNKNOWN, {"site": site}) from unknown

    def in_force(self, instant: datetime) -> list[Profile]:
        """Every site's profile at an instant."""
        found = []
        for site in self._current().sites:
            try:
                found.append(self._current().at(site, instant))
            except SiteUnknownError:
                continue
        return found


class Desk:
    """A service's database as its RPCs use it."""

    def __init__(self, database: Database, profiles: SiteProfiles) -> None:
        self._database = database
        self._uow = UnitOfWork(database)
        self.profiles = profiles

    def profile(self, site: str) -> Profile:
        """The site's profile now; raises NotFound for a site without one."""
        return self.profiles.at(site, self._database.clock.now())

    def read(self, site: str) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that reads one site."""
        self.profile(site)
        return self._database.transaction(sites=[site], read_only=True)

    def unstored(self, site: str) -> AbstractAsyncContextManager[Transaction]:
        """A transaction of one site for what may be done again and whose reply is never kept."""
        self.profile(site)
        return self._database.transaction(sites=[site])

    async def write(
        self, site: str, handler: Callable[[Transaction, str], Awaitable[Reply]], reply: type[Reply]
    ) -> Reply:
        """Run a command once per request id. Its reply is stored, so it holds ids, states and figures, no words."""
        call = current()
        self.profile(site)

        async def run(tx: Transaction) -> Reply:
            return await handler(tx, call.principal.subject)

        stored = await self._uow.run(call, run, lambda made: made.SerializeToString(), sites=[site])
        return reply.FromString(stored)
