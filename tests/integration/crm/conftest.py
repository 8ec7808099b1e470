"""A running crm and ways to call it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from kefu.crm.v1.customer_service_pb2_grpc import CustomerServiceStub
from kefu.crm.v1.order_service_pb2_grpc import OrderServiceStub
from kefu.crm.v1.points_service_pb2_grpc import PointsServiceStub
from kefu.crm.v1.tier_service_pb2_grpc import TierServiceStub
from prometheus_client import CollectorRegistry

from services.crm.app import Parts, servicers
from services.crm.commands.holders import Holders
from services.crm.metrics import CrmMetrics
from services.crm.profiles import SiteProfiles
from services.kit.access import Access
from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.telemetry.metrics import Metrics
from services.kit.testing.grpc import Running, serve
from services.policy.versions import Profiles

SITE = "taobao-shop"
ELSEWHERE = "online-desk"
PROFILES = Path(__file__).parents[3] / "charts" / "kefu" / "profiles"
ACCESS = Path(__file__).parents[3] / "services" / "policy" / "access.yaml"
UNMASK = timedelta(minutes=15)


class Crm:
    """A running crm service with its parts, and stubs for its callers."""

    def __init__(self, running: Running, parts: Parts) -> None:
        self._running = running
        self.parts = parts
        self.parent = f"sites/{SITE}"

    @property
    def address(self) -> str:
        return self._running.address

    def token(self, subject: str = "boss", role: str = "admin", site: str = SITE) -> str:
        return self._running.token(subject, sites={site: [role]})

    def channel(self, subject: str = "boss", role: str = "admin", site: str = SITE, locale: str = "en") -> Any:
        return self._running.channel(self.token(subject, role, site), locale=locale)

    def customers(self, subject: str = "boss", role: str = "admin", site: str = SITE) -> Any:
        return CustomerServiceStub(self.channel(subject, role, site))

    def orders(self, subject: str = "boss", role: str = "admin") -> Any:
        return OrderServiceStub(self.channel(subject, role))

    def points(self, subject: str = "boss", role: str = "admin") -> Any:
        return PointsServiceStub(self.channel(subject, role))

    def tiers(self, subject: str = "boss", role: str = "admin", locale: str = "en") -> Any:
        return TierServiceStub(self.channel(subject, role, locale=locale))

    def name(self, customer: str) -> str:
        return f"{self.parent}/customers/{customer}"


@pytest.fixture(scope="session")
def profiles() -> SiteProfiles:
    """The profiles of the chart."""
    read = Profiles(PROFILES)
    return SiteProfiles(lambda: read.current)


def parts_of(database: Database, profiles: SiteProfiles, folder: Path) -> Parts:
    """Stores and commands on a database."""
    metrics = CrmMetrics(Metrics.from_catalogue(CollectorRegistry(), owners=["crm"]))
    return Parts(database, Vault(Keys.create(folder / "sealing.json", "test")), profiles, metrics)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crm(
    database: Database, profiles: SiteProfiles, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Crm]:
    folder = tmp_path_factory.mktemp("keys")
    parts = parts_of(database, profiles, folder)
    registered = servicers(database, parts, unmask=UNMASK, holders=Holders({}))
    async with serve(registered, keys_folder=folder, access=Access.read(ACCESS)) as running:
        yield Crm(running, parts)
