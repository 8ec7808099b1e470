"""A gateway as browsers and frontends meet it, in front of the real staffing service and real PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from flask.testing import FlaskClient

from services.crm.app import build as build_crm
from services.crm.config import CrmConfig
from services.gateway import seed
from services.gateway.app import Parts, build, create_app
from services.gateway.config import GatewayConfig
from services.intake.app import build as build_intake
from services.intake.config import IntakeConfig
from services.kit.client.settings import CallsConfig
from services.kit.crypto import Keys
from services.kit.embedded import EmbeddedNats, EmbeddedPostgres
from services.kit.keys import new_key_pair
from services.kit.server import ServerConfig
from services.kit.testing.postgres import Databases
from services.qa.app import build as build_qa
from services.qa.config import QaConfig
from services.staffing.app import build as build_staffing
from services.staffing.config import StaffingConfig

PROFILES = Path(__file__).resolve().parents[3] / "charts" / "kefu" / "profiles"
PASSWORD = "correct horse battery staple"
HOST = "kefu.test"
SITE = "online-desk"


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """A loop for the services behind the gateway, whose tests are synchronous."""
    with start_blocking_portal() as opened:
        yield opened


@pytest.fixture(scope="session")
def nats_server(scratch: Path) -> Iterator[EmbeddedNats]:
    """A NATS of their own: services that live for the session would take other tests' events from their readers."""
    server = EmbeddedNats(scratch / "gateway-nats")
    server.start()
    yield server
    server.stop(immediate=True)


@pytest.fixture(scope="session")
def gateway_config(
    postgres: EmbeddedPostgres,
    nats_server: EmbeddedNats,
    portal: BlockingPortal,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GatewayConfig]:
    """Settings of a gateway whose services run."""
    folder = tmp_path_factory.mktemp("gateway")
    keys = folder / "keys"
    keys.mkdir()
    new_key_pair(keys, "2026-01")
    Keys.create(folder / "sealing.json", "test")
    urls = portal.call(Databases(postgres).clone, "crm", "gateway", "intake", "qa", "staffing")
    common: dict[str, Any] = {
        "nats": nats_server.url,
        "public_keys": keys / "public",
        "profiles": PROFILES,
        "sealing_keys": folder / "sealing.json",
        "environment": "test",
        "server": ServerConfig(grace_seconds=1.0),
    }
    staffing = portal.call(build_staffing, StaffingConfig(database=urls["staffing"], **common))
    portal.call(lambda: staffing.start(work=True))
    intake = portal.call(build_intake, IntakeConfig(database=urls["intake"], **common))
    portal.call(lambda: intake.start(work=True))
    qa_config = QaConfig(
        database=urls["qa"],
        objects=(folder / "objects").as_uri(),
        scratch=folder / "scratch",
        calls=CallsConfig((f"intake=127.0.0.1:{intake.server.port}",)),
        **common,
    )
    qa = portal.call(build_qa, qa_config)
    portal.call(lambda: qa.start(work=True))
    holders = tuple(f"{name}=127.0.0.1:{one.server.port}" for name, one in (("intake", intake), ("qa", qa)))
    crm = portal.call(build_crm, CrmConfig(database=urls["crm"], calls=CallsConfig(holders), **common))
    portal.call(lambda: crm.start(work=True))
    running: dict[str, Any] = {"staffing": staffing, "intake": intake, "crm": crm, "qa": qa}
    yield GatewayConfig(
        database=urls["gateway"],
        secret="s" * 40,
        signing_keys=keys,
        sealing_keys=folder / "sealing.json",
        calls=CallsConfig(tuple(f"{name}=127.0.0.1:{one.server.port}" for name, one in running.items())),
        environment="test",
        public_url=f"http://{HOST}",
        stream_url="http://127.0.0.1:9",
        anonymous_chat=("online-desk",),
        profiles=PROFILES,
        webhooks_private=True,
    )
    for one in reversed(running.values()):
        portal.call(partial(one.stop, drain_seconds=0))


@pytest.fixture(scope="session")
def parts(gateway_config: GatewayConfig) -> Iterator[Parts]:
    """The gateway's parts with an admin, a manager, an agent and a service account."""
    made = build(gateway_config)
    people = {"admin": {"*": ["admin"]}, "manager": {SITE: ["manager"]}, "agent": {SITE: ["agent"]}}
    for name, roles in people.items():
        made.runtime.run(add_account, made, name, roles)
    made.runtime.run(_seed_program, made)
    yield made
    made.close()


async def add_account(parts: Parts, name: str, roles: dict[str, list[str]]) -> None:
    """Somebody who signs in with the usual password."""
    await seed.ensure_account(
        parts.runtime.database, user_name=name, display_name=name.title(), roles=roles, password=PASSWORD
    )


async def _seed_program(parts: Parts) -> None:
    await seed.ensure_service_account(
        parts.runtime.database,
        "shop-frontend",
        secret="shop-secret",
        display_name="Shop",
        roles={SITE: ["frontend"]},
        origins=["https://shop.example"],
    )


@dataclass
class Browser:
    """One browser at the gateway: cookies, CSRF, JSON. Replies are werkzeug's TestResponse, whose JSON is anything."""

    client: FlaskClient
    token: str = ""
    address: str = "198.51.100.7"

    def call(self, verb: str, path: str, body: Any = None, **headers: str) -> Any:
        """One request; keyword names become headers."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            named.setdefault("Authorization", f"Bearer {self.token}")
        return self.client.open(
            path,
            method=verb,
            json=body,
            headers={"Host": HOST, "Accept-Language": "en", **named},
            environ_base={"REMOTE_ADDR": self.address},
        )

    def get(self, path: str, **headers: str) -> Any:
        """GET."""
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST with a JSON body."""
        return self.call("POST", path, {} if body is None else body, **headers)

    def form(self, path: str, **fields: str) -> Any:
        """POST a form."""
        return self.client.post(path, data=fields, headers={"Host": HOST}, environ_base={"REMOTE_ADDR": self.address})


@pytest.fixture
def browser(parts: Parts) -> Browser:
    """A browser that is not signed in."""
    return Browser(create_app(parts).test_client())


@pytest.fixture
def admin(parts: Parts, browser: Browser) -> Browser:
    """A program with an admin's token."""
    return replace(browser, token=token_of(parts, "admin", {"*": frozenset({"admin"})}))


def token_of(parts: Parts, subject: str, roles: dict[str, frozenset[str]]) -> str:
    """A person's token as the gateway gives it to services."""
    from services.gateway.identity.user import User

    return parts.issuer.person(User(subject, subject, subject, roles))


def new_id(prefix: str = "p") -> str:
    """An id that no other test has."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"
