"""A staffing service with rosters: the demonstration desk's profile, eight people, and a solver that is stepped."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp
from kefu.staffing.v1 import person_pb2, roster_pb2
from kefu.staffing.v1 import roster_service_pb2 as api
from kefu.staffing.v1 import staffing_service_pb2 as people_api
from kefu.staffing.v1.roster_service_pb2_grpc import RosterServiceStub, add_RosterServiceServicer_to_server
from kefu.staffing.v1.staffing_service_pb2_grpc import StaffingServiceStub, add_StaffingServiceServicer_to_server
from prometheus_client import CollectorRegistry

from services.kit.access import Access
from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.telemetry.metrics import Metrics
from services.kit.testing.grpc import Registered, Running, serve
from services.kit.uow import UnitOfWork
from services.policy.desk import Desk, SiteProfiles
from services.policy.profile import Profile
from services.policy.versions import Profiles
from services.staffing.metrics import StaffingMetrics
from services.staffing.servicer.people import StaffingServicer
from services.staffing.servicer.rosters import RosterServicer
from services.staffing.solver import Solver
from services.staffing.store.people import Store

ROOT = Path(__file__).parents[3]
PROFILES = ROOT / "charts" / "kefu" / "profiles"
SITE = "online-desk"
PARENT = f"sites/{SITE}"
ZONE = ZoneInfo("Asia/Shanghai")
GRADES = person_pb2.Person
CREW = {
    "boss-a": ("GRADE_SUPERVISOR", ["GENERAL"]),
    "boss-b": ("GRADE_SUPERVISOR", ["GENERAL"]),
    "chen": ("GRADE_SENIOR", ["GENERAL", "AFTERSALES"]),
    "ding": ("GRADE_JUNIOR", ["GENERAL"]),
    "fang": ("GRADE_JUNIOR", ["GENERAL"]),
    "gao": ("GRADE_JUNIOR", ["GENERAL", "AFTERSALES"]),
}


def fresh() -> str:
    return str(uuid.uuid4())


class Planner:
    """A planner, the service that they call, and the solver beside it."""

    def __init__(self, running: Running, database: Database, profile: Profile) -> None:
        self.running, self.database, self.profile = running, database, profile
        self.solver = Solver(database, workers=1)

    def stub(self, subject: str = "planner", role: str = "planner") -> Any:
        return RosterServiceStub(self.running.channel(self.running.token(subject, sites={SITE: [role]})))

    def people(self) -> Any:
        return StaffingServiceStub(self.running.channel(self.running.token("root", sites={"*": ["admin"]})))

    async def first_day(self, weeks: int = 2) -> date:
        """A Monday that is so far ahead that no period of notice is touched."""
        async with self.database.reading(sites=[SITE]) as tx:
            today = tx.now.astimezone(ZONE).date()
        return today + timedelta(days=7 * weeks - today.weekday())

    async def crew(self) -> None:
        """Everybody of CREW with a contract of 40 hours, and a trainee with chen for a mentor."""
        crew = {**CREW, "sun": ("GRADE_JUNIOR", ["GENERAL"])}
        for person, (grade, skills) in crew.items():
            made = GRADES(
                display_name=person,
                grade=GRADES.Grade.Value(grade),
                skills=skills,
                capacity=3,
                certified=person != "sun",
            )
            await self.people().CreatePerson(
                people_api.CreatePersonRequest(parent=PARENT, person_id=person, person=made, request_id=fresh())
            )
        for person in crew:
            await self.contract(person, mentor="chen" if person == "sun" else "")

    async def contract(self, person: str, *marks: roster_pb2.DayMark, **fields: Any) -> roster_pb2.Contract:
        plain = {"week_minutes_least": 1_920, "week_minutes_most": 2_400}
        contract = roster_pb2.Contract(name=f"{PARENT}/people/{person}/contract", marks=marks, **(plain | fields))
        made: roster_pb2.Contract = await self.stub().SetContract(
            api.SetContractRequest(contract=contract, request_id=fresh())
        )
        return made

    async def create(self, first: date, *, people: int = 2, seconds: int = 3, **fields: Any) -> roster_pb2.RosterRun:
        """A search for a week with `people` GENERAL from 9 to 18 on working days, one on Saturday."""
        run = roster_pb2.RosterRun(first_day=first.isoformat(), days=7, seconds=seconds, seed=1)
        asked: dict[str, Any] = {
            "requirements": list(requirements(first, people)),
            "request_id": fresh(),
            "roster_run": run,
        }
        request = api.CreateRosterRunRequest(parent=PARENT, **(asked | fields))
        made: roster_pb2.RosterRun = await self.stub().CreateRosterRun(request)
        return made

    async def solved(self, first: date, **fields: Any) -> roster_pb2.RosterRun:
        """A run that has ended."""
        made = await self.create(first, **fields)
        assert await self.solver.step()
        return await self.get(made.name)

    async def get(self, name: str) -> roster_pb2.RosterRun:
        found: roster_pb2.RosterRun = await self.stub().GetRosterRun(api.GetRosterRunRequest(name=name))
        return found

    async def publish(self, run: roster_pb2.RosterRun, **fields: Any) -> roster_pb2.Roster:
        request = api.PublishRosterRequest(name=run.name, **({"request_id": fresh()} | fields))
        made: roster_pb2.Roster = await self.stub().PublishRoster(request)
        return made


def requirements(first: date, people: int) -> Iterator[roster_pb2.Requirement]:
    for day in range(6):
        for quarter in range(36, 72):
            number = people if day < 5 else 1
            yield roster_pb2.Requirement(start=at(first, day, quarter * 15), skill="GENERAL", people=number)


def at(first: date, day: int, minute: int) -> Timestamp:
    """A minute of a day at the site."""
    made = Timestamp()
    made.FromDatetime(datetime.combine(first + timedelta(days=day), time(), ZONE) + timedelta(minutes=minute))
    return made


def shift(
    first: date, person: str, day: int, start: int = 540, minutes: int = 300, **fields: Any
) -> roster_pb2.RosterShift:
    """A shift: five hours without a break, or longer with one in the middle."""
    plain: dict[str, Any] = {
        "start": at(first, day, start),
        "end": at(first, day, start + minutes),
        "activity": "GENERAL",
    }
    if minutes > 300:
        plain |= {"break_start": at(first, day, start + 240), "break_minutes": 60}
    return roster_pb2.RosterShift(person=person, **(plain | fields))


def day_of(stamp: Timestamp) -> date:
    return stamp.ToDatetime(UTC).astimezone(ZONE).date()


@asynccontextmanager
async def planning(database: Database, folder: Path) -> AsyncIterator[Planner]:
    """The service, with the desk's own profile and the project's own roles."""
    watched = Profiles(PROFILES)
    desk = Desk(database, SiteProfiles(lambda: watched.current))
    metrics = StaffingMetrics(Metrics.from_catalogue(CollectorRegistry(), owners=["staffing"]))
    store = Store(Vault(Keys.create(folder / "sealing.json", "test")))
    people = StaffingServicer(database, UnitOfWork(database), store, lambda site: desk.profile(site).timezone, metrics)
    registered: list[Registered] = [
        (add_StaffingServiceServicer_to_server, people),
        (add_RosterServiceServicer_to_server, RosterServicer(desk, database, store)),
    ]
    access = Access.read(ROOT / "services" / "policy" / "access.yaml")
    async with serve(registered, keys_folder=folder, access=access) as running:
        yield Planner(running, database, desk.profile(SITE))
