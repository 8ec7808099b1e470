"""A running qa and ways to call it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from kefu.qa.v1.draw_service_pb2_grpc import DrawServiceStub
from kefu.qa.v1.recording_service_pb2_grpc import RecordingServiceStub
from kefu.qa.v1.review_service_pb2_grpc import ReviewServiceStub
from prometheus_client import CollectorRegistry

from services.kit.access import Access
from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.telemetry.metrics import Metrics
from services.kit.testing.grpc import Running, serve
from services.policy.desk import SiteProfiles
from services.policy.versions import Profiles
from services.qa.app import Parts, servicers
from services.qa.metrics import QaMetrics
from services.qa.store.objects import Objects

SITE = "online-desk"
LIVE = "live-room"
PROFILES = Path(__file__).parents[3] / "charts" / "kefu" / "profiles"
ACCESS = Path(__file__).parents[3] / "services" / "policy" / "access.yaml"
WITHIN = timedelta(hours=1)


class Qa:
    """A running qa service with its parts, and stubs for its callers."""

    def __init__(self, running: Running, parts: Parts, database: Database) -> None:
        self._running = running
        self.parts = parts
        self.database = database
        self.parent = f"sites/{SITE}"

    @property
    def address(self) -> str:
        return self._running.address

    def token(self, subject: str = "boss", role: str = "admin", site: str = "*") -> str:
        return self._running.token(subject, sites={site: [role]})

    def channel(self, subject: str = "boss", role: str = "admin", site: str = "*", locale: str = "en") -> Any:
        return self._running.channel(self.token(subject, role, site), locale=locale)

    def recordings(self, subject: str = "boss", role: str = "admin", site: str = "*") -> Any:
        return RecordingServiceStub(self.channel(subject, role, site))

    def reviews(self, subject: str = "boss", role: str = "admin", site: str = "*") -> Any:
        return ReviewServiceStub(self.channel(subject, role, site))

    def draws(self, subject: str = "boss", role: str = "admin", site: str = "*") -> Any:
        return DrawServiceStub(self.channel(subject, role, site))


@pytest.fixture(scope="session")
def profiles() -> SiteProfiles:
    """The profiles of the chart."""
    read = Profiles(PROFILES)
    return SiteProfiles(lambda: read.current)


def parts_of(database: Database, profiles: SiteProfiles, folder: Path, words: Any = None) -> Parts:
    """Stores and commands on a database."""
    return Parts(
        database,
        Vault(Keys.create(folder / "sealing.json", "test")),
        profiles,
        QaMetrics(Metrics.from_catalogue(CollectorRegistry(), owners=["qa"])),
        objects=Objects((folder / "objects").as_uri()),
        scratch=folder / "scratch",
        words=words,
        content_within=WITHIN,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def qa(database: Database, profiles: SiteProfiles, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Qa]:
    folder = tmp_path_factory.mktemp("qa")
    parts = parts_of(database, profiles, folder)
    async with serve(servicers(database, parts), keys_folder=folder, access=Access.read(ACCESS)) as running:
        yield Qa(running, parts, database)
