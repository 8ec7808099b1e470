"""What every servicer of crm needs: names, reads of one site, and writes that happen once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeVar

from google.protobuf.message import Message

from services.crm.profiles import SiteProfiles
from services.kit import pages
from services.kit.call import current
from services.kit.db import Database, Transaction
from services.kit.resource_names import ResourceName
from services.kit.uow import UnitOfWork
from services.policy.profile import Profile

SITE: Final = ResourceName("sites/{site}")
CUSTOMER: Final = ResourceName("sites/{site}/customers/{customer}")
GRANT: Final = ResourceName("sites/{site}/customers/{customer}/unmaskGrants/{grant}")
REQUEST: Final = ResourceName("sites/{site}/dataRequests/{data_request}")
CAMPAIGN: Final = ResourceName("sites/{site}/campaigns/{campaign}")
COUPON: Final = ResourceName("sites/{site}/coupons/{coupon}")
COMMITMENT: Final = ResourceName("sites/{site}/commitments/{commitment}")
SURVEY: Final = ResourceName("sites/{site}/surveys/{survey}")
TASK: Final = ResourceName("sites/{site}/contactTasks/{task}")
WIN_BACK: Final = ResourceName("sites/{site}/winBacks/{case}")
PAGE_MOST: Final = 500
# Above every number of a table's own identity column.
LAST: Final = 2**63 - 1

Context = Any
Reply = TypeVar("Reply", bound=Message)


class Desk:
    """The database of crm as its RPCs use it."""

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


def size_of(request: Any) -> int:
    """Entries of a page."""
    return pages.page_size(request.page_size, most=PAGE_MOST)


def number_of(request: Any) -> int:
    """The number before which a page begins."""
    return int((pages.decode(request) or [LAST])[0])
