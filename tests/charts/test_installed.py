"""What production would run, run here: the chart's variables and mounts, certificates, probes, smoke test."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from kefu.staffing.v1.staffing_service_pb2 import GetPersonRequest
from kefu.staffing.v1.staffing_service_pb2_grpc import StaffingServiceStub

from services.gateway.seed import ensure_service_account
from services.kit.access import Kind
from services.kit.auth import TokenSigner
from services.kit.client import ClientChannel, Target
from services.kit.db import Database
from services.kit.embedded import free_port
from services.kit.errors import NotFound, PermissionDenied
from services.kit.testing.polling import eventually
from services.stack.processes import python_path
from tests.charts.helm import Release, render
from tests.charts.mounted import Mounted, Secrets, secrets

SERVICES = ("crm", "gateway", "intake", "qa", "staffing")
RUN = (
    "kefu-intake",
    "kefu-staffing",
    "kefu-crm",
    "kefu-qa",
    "kefu-gateway",
    "kefu-gateway-stream",
    "kefu-gateway-work",
)
LISTENS = ("KEFU_LISTEN", "KEFU_HEALTH_LISTEN", "KEFU_METRICS_LISTEN", "KEFU_GATEWAY_LISTEN", "KEFU_STREAM_LISTEN")
READY_SECONDS = 90
ACCOUNT = {"KEFU_CLIENT_ID": "smoke", "KEFU_CLIENT_SECRET": "s" * 40}

pytestmark = pytest.mark.timeout(240)


@dataclass
class Installed:
    """The release, its Secrets, and where each deployment listens here: variable → host:port."""

    release: Release
    given: Secrets
    listens: dict[str, dict[str, str]]
    folder: Path

    def environment(self, deployment: str, urls: Mapping[str, str], nats: str) -> tuple[list[str], dict[str, str]]:
        """A pod's arguments and variables; only addresses are ours."""
        mounted = Mounted(self.release, deployment, self.folder / deployment, self.given)
        env = mounted.env | self.listens[deployment]
        env |= {"KEFU_DATABASE_URL": urls[deployment.split("-")[1]], "KEFU_NATS_URL": nats}
        env |= {"OTEL_TRACES_EXPORTER": "none", "KEFU_DRAIN_SECONDS": "0"}
        if "KEFU_TARGETS" in env:
            for service in ("intake", "staffing", "crm", "qa"):
                here = self.listens[f"kefu-{service}"]["KEFU_LISTEN"].replace("127.0.0.1", "localhost")
                env["KEFU_TARGETS"] = env["KEFU_TARGETS"].replace(f"kefu-{service}:9000", here)
        return mounted.args, env

    async def smoke(self, **settings: str) -> list[dict[str, Any]]:
        """What `helm test` finds."""
        pod = self.release.of("Pod")["kefu-smoke"]["spec"]["containers"][0]
        env = {pair["name"]: pair["value"] for pair in pod["env"]}
        for target in env["KEFU_HEALTH_TARGETS"].split(","):
            service, address = target.split("=")
            here = self.listens[f"kefu-{service}"]["KEFU_HEALTH_LISTEN"]
            env["KEFU_HEALTH_TARGETS"] = env["KEFU_HEALTH_TARGETS"].replace(address, here)
        env["KEFU_GATEWAY_URL"] = f"http://{self.listens['kefu-gateway']['KEFU_GATEWAY_LISTEN']}"
        env["KEFU_STREAM_URL"] = f"http://{self.listens['kefu-gateway-stream']['KEFU_STREAM_LISTEN']}"
        program = await asyncio.create_subprocess_exec(
            *command([*pod["args"], "--json"]), env=bare(env | settings), stdout=asyncio.subprocess.PIPE
        )
        found: list[dict[str, Any]] = json.loads((await program.communicate())[0])
        return found

    def target(self, as_service: str) -> Target:
        """Staffing's port, called with the certificate of a service."""
        address = self.listens["kefu-staffing"]["KEFU_LISTEN"].replace("127.0.0.1", "dns:///localhost")
        files = {}
        for name, text in self.given[f"kefu-{as_service}-tls"].items():
            files[name] = self.folder / f"{as_service}-{name}"
            files[name].write_text(text, encoding="utf-8")
        return Target(address, authority_file=files["ca.crt"], certificate=files["tls.crt"], key=files["tls.key"])

    def token(self) -> str:
        """An administrator's token, signed as the gateway signs."""
        ((file, text),) = self.given["kefu-signing-keys"].items()
        signer = TokenSigner.from_pem(file.removesuffix(".key"), text.encode())
        return signer.sign("boss", Kind.PERSON, ttl=60, sites={"*": ["admin"]})


def command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "services.cli", *arguments]


def bare(env: Mapping[str, str]) -> dict[str, str]:
    """As in a pod: nothing of this machine's environment but how to find Python's packages."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": python_path(), **env}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def installed(
    database_urls: dict[str, str], nats_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installed]:
    release = render("prod")
    folder = tmp_path_factory.mktemp("installed")
    listens = {name: {variable: f"127.0.0.1:{free_port()}" for variable in LISTENS} for name in RUN}
    made = Installed(release, secrets(release), listens, folder)
    database = Database(database_urls["gateway"], "gateway", size=2)
    await database.open(hints=False)
    await ensure_service_account(
        database,
        ACCOUNT["KEFU_CLIENT_ID"],
        secret=ACCOUNT["KEFU_CLIENT_SECRET"],
        display_name="Smoke",
        roles={"online-desk": ["frontend"]},
    )
    await database.close()
    running = []
    for deployment in RUN:
        arguments, env = made.environment(deployment, database_urls, nats_url)
        log = folder / f"{deployment}.log"
        with log.open("wb") as file:
            running.append(
                await asyncio.create_subprocess_exec(
                    *command(arguments), env=bare(env), cwd="/", stdout=file, stderr=file
                )
            )
    try:
        await eventually(lambda: _well(made), READY_SECONDS)
        yield made
    finally:
        for process in running:
            process.terminate()
        codes = [await process.wait() for process in running]
    assert codes == [0] * len(RUN), "each ends in order when it is told to stop"


async def _well(made: Installed) -> bool:
    return all(row["well"] for row in await made.smoke())


async def test_helm_test_passes_and_reads_through_certificates(installed: Installed) -> None:
    found = await installed.smoke(**ACCOUNT)
    assert [row for row in found if not row["well"]] == []
    assert [row["name"] for row in found] == [
        "crm",
        "intake",
        "qa",
        "staffing",
        "gateway",
        "stream",
        "wallboard of online-desk",
    ]


@pytest.mark.parametrize(("caller", "refusal"), [("gateway", NotFound), ("intake", PermissionDenied)])
async def test_a_service_that_is_not_declared_is_not_let_in(
    installed: Installed, caller: str, refusal: type[Exception]
) -> None:
    async with ClientChannel(installed.target(caller), token=installed.token) as channel:
        stub: Any = StaffingServiceStub(channel)
        with pytest.raises(refusal):
            await stub.GetPerson(GetPersonRequest(name="sites/online-desk/people/nobody"), timeout=10)


async def test_nobody_gets_in_without_a_certificate(installed: Installed) -> None:
    address = installed.listens["kefu-staffing"]["KEFU_LISTEN"]
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = StaffingServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetPerson(GetPersonRequest(name="sites/online-desk/people/nobody"), timeout=10)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
