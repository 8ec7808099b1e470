"""Demonstration data, loaded through the public API: people of every site with their skills, one account a role, and a
shop's customers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.kit.access import Kind
from services.kit.auth import TokenSigner
from services.kit.errors import AlreadyExists
from services.stack import demo_shop
from services.stack.home import Home
from services.stack.infra import DATABASE
from services.stack.processes import PROFILES, SIMULATOR

HOME_SITE: Final = "online-desk"
# Who signs in: role → user name, shown name, site ("*" = every site).
ACCOUNTS: Final = (
    ("agent", "wangfang", "王芳", HOME_SITE),
    ("host", "chenjing", "陈静", "live-room"),
    ("operator", "liuyang", "刘洋", "live-room"),
    ("supervisor", "zhangwei", "张伟", HOME_SITE),
    ("reviewer", "limin", "李敏", HOME_SITE),
    ("planner", "zhaolei", "赵磊", HOME_SITE),
    ("manager", "sunli", "孙丽", HOME_SITE),
    ("engineer", "zhoujie", "周杰", "*"),
    ("admin", "admin", "管理员", "*"),
)
# Those who are simulated; the first of a site has every skill, the others share the queues.
COLLEAGUES: Final = (("wuqiang", "吴强"), ("xuyan", "徐燕"), ("mafei", "马飞"), ("huxia", "胡霞"))
CAPACITY: Final = 4


@dataclass(frozen=True)
class Member:
    """Somebody at work at a site; `simulated` ones are played by the traffic generator."""

    site: str
    id: str
    name: str
    grade: int
    skills: tuple[str, ...]
    capacity: int
    simulated: bool


def load(home: Home, say: Callable[[str], None]) -> None:
    """Add what is missing; nothing that is there is changed."""
    added = asyncio.run(_load(home))
    say(f"demonstration data ({added} added)" if added else "demonstration data")


def sign_ins(home: Home) -> list[tuple[str, str, str, str]]:
    """Role, user name, password and site of every demonstration account."""
    return [
        (role, user, password(home, user), "every site" if site == "*" else site) for role, user, _, site in ACCOUNTS
    ]


def password(home: Home, user: str) -> str:
    """The password of a demonstration account, made up for this stack."""
    return home.secret(f"password-{user}")[:16]


def members() -> Iterator[Member]:
    """The people of every demonstration site, by the queues of its profile."""
    from services.policy.versions import Profiles

    in_force = Profiles(PROFILES).current
    for site in in_force.sites:
        profile = in_force.versions(site)[-1].profile
        skills = sorted({skill for queue in profile.queues.values() for skill in queue.skills})
        for role, user, name, where in ACCOUNTS:
            if where == site and role in ("agent", "host", "supervisor"):
                yield Member(
                    site, user, name, 4 if role == "supervisor" else 3, tuple(skills), CAPACITY, simulated=False
                )
        for number, (user, name) in enumerate(COLLEAGUES):
            own = skills if number == 0 else skills[number - 1 :: len(COLLEAGUES) - 1] or skills
            yield Member(site, f"{user}-{site}"[:40], name, 2 + number % 2, tuple(own), CAPACITY, simulated=True)


async def _load(home: Home) -> int:
    added, now = await _accounts(home)
    return added + await _people(home, list(members())) + await _customers(home, now)


async def _customers(home: Home, now: datetime) -> int:
    from services.kit.client import ClientChannel, Target

    token = _token(home)
    async with ClientChannel(Target(f"ipv4:{home.address('crm')}"), token=lambda: token) as channel:
        return await demo_shop.load(channel, now)


async def _people(home: Home, people: Sequence[Member]) -> int:
    from kefu.staffing.v1.person_pb2 import Person
    from kefu.staffing.v1.staffing_service_pb2 import CreatePersonRequest
    from kefu.staffing.v1.staffing_service_pb2_grpc import StaffingServiceStub

    from services.kit.client import ClientChannel, Target

    token = _token(home)
    async with ClientChannel(Target(f"ipv4:{home.address('staffing')}"), token=lambda: token) as channel:
        stub: Any = StaffingServiceStub(channel)

        async def add(member: Member) -> int:
            person = Person(
                display_name=member.name,
                grade=Person.Grade.ValueType(member.grade),
                skills=member.skills,
                capacity=member.capacity,
                certified=True,
            )
            request = CreatePersonRequest(parent=f"sites/{member.site}", person_id=member.id, person=person)
            try:
                await stub.CreatePerson(request)
            except AlreadyExists:
                return 0
            return 1

        return sum(await asyncio.gather(*(add(member) for member in people)))


async def _accounts(home: Home) -> tuple[int, datetime]:
    """First accounts come from the gateway's installer's door, because nobody can sign in before them. Returns how many
    were added, and the stack's time."""
    from services.gateway.seed import ensure_account, ensure_service_account
    from services.kit.db import Database
    from services.kit.embedded import EmbeddedPostgres, role_of

    database = Database(EmbeddedPostgres(home.postgres).dsn(DATABASE, user=role_of("gateway")), "gateway", size=4)
    await database.open(hints=False)
    try:
        added = [
            await ensure_account(
                database, user_name=user, display_name=name, roles={site: [role]}, password=password(home, user)
            )
            for role, user, name, site in ACCOUNTS
        ]
        added.append(
            await ensure_service_account(
                database,
                SIMULATOR,
                secret=home.secret("simulator-client"),
                display_name="Simulated traffic",
                roles={"*": ["simulator", "frontend", "telephony"]},
            )
        )
    finally:
        await database.close()
    return sum(added), database.clock.now()


def _token(home: Home) -> str:
    """A minute's token of the stack's own, for loading people and customers before anybody signed in."""
    private = max(home.keys.glob("*.key"))
    signer = TokenSigner.from_pem(private.stem, private.read_bytes())
    return signer.sign("installer", Kind.SERVICE, ttl=60.0, sites={"*": ["admin"]})
