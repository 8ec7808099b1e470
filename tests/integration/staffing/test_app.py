from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import nats
import pytest
from kefu.common.v1.clock_service_pb2 import AdvanceClockRequest
from kefu.common.v1.clock_service_pb2_grpc import ClockServiceStub
from kefu.events.v1.event_pb2 import Event
from kefu.staffing.v1 import person_pb2 as pb
from kefu.staffing.v1 import staffing_service_pb2 as api
from kefu.staffing.v1.staffing_service_pb2_grpc import StaffingServiceStub

from services.kit.client import ClientChannel, Target
from services.kit.config import load
from services.kit.crypto import Keys
from services.kit.errors import FailedPrecondition, NotFound, PermissionDenied
from services.kit.testing.grpc import TestKeys
from services.kit.testing.tls import self_signed
from services.staffing.app import build
from services.staffing.config import StaffingConfig
from tests.integration.staffing.conftest import somebody

SERVICES = ("staffing",)
PROFILES = Path(__file__).parents[3] / "charts" / "kefu" / "profiles"


@pytest.mark.parametrize(("caller", "let_in"), [("gateway", True), ("intake", False)])
async def test_callers_are_those_of_the_call_list(
    database_urls: dict[str, str], nats_url: str, tmp_path: Path, caller: str, let_in: bool
) -> None:
    keys = TestKeys(tmp_path)
    Keys.create(tmp_path / "sealing.json", "test")
    certificate, key = self_signed(tmp_path, caller)
    settings = {
        "KEFU_DATABASE_URL": database_urls["staffing"],
        "KEFU_NATS_URL": nats_url,
        "KEFU_PUBLIC_KEYS": str(tmp_path / "public"),
        "KEFU_PROFILES": str(PROFILES),
        "KEFU_SEALING_KEYS": str(tmp_path / "sealing.json"),
        "KEFU_TLS_CERTIFICATE": str(certificate),
        "KEFU_TLS_KEY": str(key),
        "KEFU_TLS_CLIENT_CA": str(certificate),
    }
    app = await build(load(StaffingConfig, settings))
    await app.start()
    target = Target(f"dns:///localhost:{app.server.port}", authority_file=certificate, certificate=certificate, key=key)
    try:
        async with ClientChannel(target, token=keys.token) as channel:
            stub: Any = StaffingServiceStub(channel)
            with pytest.raises(NotFound if let_in else PermissionDenied):
                await stub.GetPerson(api.GetPersonRequest(name="sites/online-desk/people/nobody"))
    finally:
        await app.stop(drain_seconds=0)


async def test_the_built_service_answers_and_its_events_reach_the_stream(
    database_urls: dict[str, str], nats_url: str, tmp_path: Path
) -> None:
    keys = TestKeys(tmp_path)
    Keys.create(tmp_path / "sealing.json", "test")
    settings = {
        "KEFU_DATABASE_URL": database_urls["staffing"],
        "KEFU_NATS_URL": nats_url,
        "KEFU_PUBLIC_KEYS": str(tmp_path / "public"),
        "KEFU_PROFILES": str(PROFILES),
        "KEFU_SEALING_KEYS": str(tmp_path / "sealing.json"),
    }
    app = await build(load(StaffingConfig, settings))
    await app.start(work=True)
    client = await nats.connect(nats_url)
    try:
        async with ClientChannel(Target(f"ipv4:127.0.0.1:{app.server.port}"), token=keys.token) as channel:
            stub: Any = StaffingServiceStub(channel)
            await stub.CreatePerson(
                api.CreatePersonRequest(parent="sites/online-desk", person_id="wang", person=somebody())
            )
            await stub.SetPresence(
                api.SetPresenceRequest(name="sites/online-desk/people/wang", state=pb.Presence.STATE_AVAILABLE)
            )
            with pytest.raises(NotFound, match="SITE_UNKNOWN"):
                await stub.GetPerson(api.GetPersonRequest(name="sites/nowhere/people/wang"))
            clock: Any = ClockServiceStub(channel)
            request = AdvanceClockRequest()
            request.to.GetCurrentTime()
            with pytest.raises(FailedPrecondition, match="CLOCK_NOT_VIRTUAL"):
                await clock.AdvanceClock(request)
        async with asyncio.timeout(10):
            subscription = await client.jetstream().subscribe("kefu.staffing.online-desk.people")
            events = [Event.FromString((await subscription.next_msg(5)).data) for _ in range(2)]
    finally:
        await client.close()
        await app.stop(drain_seconds=0)
    assert [event.WhichOneof("fact") for event in events] == ["person_changed", "presence_changed"]
    assert [event.version for event in events] == [1, 2]
