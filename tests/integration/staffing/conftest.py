from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from kefu.common.v1 import errors_pb2
from kefu.staffing.v1 import person_pb2 as pb
from kefu.staffing.v1 import staffing_service_pb2 as api
from kefu.staffing.v1.planning_service_pb2_grpc import add_PlanningServiceServicer_to_server
from kefu.staffing.v1.staffing_service_pb2_grpc import StaffingServiceStub, add_StaffingServiceServicer_to_server
from prometheus_client import CollectorRegistry

from services.kit.access import Access
from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.errors import NotFound
from services.kit.telemetry.metrics import Metrics
from services.kit.testing.grpc import Registered, Running, serve
from services.kit.uow import UnitOfWork
from services.staffing.metrics import StaffingMetrics
from services.staffing.servicer.people import StaffingServicer
from services.staffing.servicer.planning import PlanningServicer
from services.staffing.store.people import Store

SITES = ("desk", "mall")
ACCESS = Access.of(
    {
        "roles": {
            "admin": ["*"],
            "manager": ["people.*", "presence.set", "rosters.*"],
            "agent": ["people.read", "presence.set", "rosters.read"],
        }
    }
)


def zone(site: str) -> ZoneInfo:
    if site not in SITES:
        raise NotFound(errors_pb2.ERROR_REASON_SITE_UNKNOWN, {"site": site})
    return ZoneInfo("Asia/Shanghai")


class Staffing:
    """A running staffing service and ways to call it."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self.registry = running.registry

    @property
    def address(self) -> str:
        return self._running.address

    def token(self, subject: str = "boss", **sites: str) -> str:
        return self._running.token(subject, sites={site: [role] for site, role in sites.items()} or {"*": ["admin"]})

    def channel(self, subject: str = "boss", **sites: str) -> Any:
        return self._running.channel(self.token(subject, **sites))

    def stub(self, subject: str = "boss", **sites: str) -> Any:
        return StaffingServiceStub(self.channel(subject, **sites))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def staffing(database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Staffing]:
    folder = tmp_path_factory.mktemp("keys")
    metrics = StaffingMetrics(Metrics.from_catalogue(CollectorRegistry(), owners=["staffing"]))
    store = Store(Vault(Keys.create(folder / "sealing.json", "test")))
    servicer = StaffingServicer(database, UnitOfWork(database), store, zone, metrics)
    registered: list[Registered] = [
        (add_StaffingServiceServicer_to_server, servicer),
        (add_PlanningServiceServicer_to_server, PlanningServicer(zone)),
    ]
    async with serve(registered, keys_folder=folder, access=ACCESS) as running:
        yield Staffing(running)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def make(staffing: Staffing) -> Callable[..., object]:
    async def create(person_id: str = "", site: str = "desk", **fields: object) -> pb.Person:
        person = somebody(**fields)
        person_id = person_id or f"p-{uuid.uuid4().hex[:12]}"
        request = api.CreatePersonRequest(parent=f"sites/{site}", person_id=person_id, person=person)
        made: pb.Person = await staffing.stub().CreatePerson(request)
        return made

    return create


def somebody(**fields: object) -> pb.Person:
    plain: dict[str, Any] = {
        "display_name": "王芳",
        "grade": pb.Person.GRADE_SENIOR,
        "skills": ["PRESALES"],
        "capacity": 5,
        "certified": True,
    }
    return pb.Person(**(plain | fields))
