"""Bad input on every write of recordings and draws: a clear error, nothing stored."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from kefu.qa.v1 import draw_service_pb2, recording_service_pb2
from kefu.qa.v1.draw_service_pb2_grpc import DrawServiceStub
from kefu.qa.v1.recording_service_pb2_grpc import RecordingServiceStub

from services.kit.db import Database
from tests.integration import bad_input
from tests.integration.bad_input import Target
from tests.integration.qa.conftest import LIVE, SITE, Qa

SERVICES = ("qa",)
STUBS: dict[str, tuple[Any, Any]] = {
    "RecordingService": (recording_service_pb2, RecordingServiceStub),
    "DrawService": (draw_service_pb2, DrawServiceStub),
}
WRITES = [
    method
    for service, (module, _) in STUBS.items()
    for method in bad_input.writes(module.DESCRIPTOR.services_by_name[service])
]
writes = pytest.mark.parametrize("method", WRITES, ids=lambda method: method.name)
existing = pytest.mark.parametrize("method", bad_input.of_existing(WRITES), ids=lambda method: method.name)
FILLED: bad_input.Filled = {
    "RegisterRecording": {
        "kind": "KIND_VIDEO",
        "subject": f"sites/{SITE}/liveSessions/show",
        "person": "host",
        "channel": "LIVE",
        "start_time": "2026-01-01T00:00:00Z",
        "end_time": "2026-01-01T01:00:00Z",
    },
    "StartUpload": {"media_type": "video/mp4", "size_bytes": 5, "sha256": "0" * 64},
    "UploadPart": {"number": 1, "content": "eA==", "sha256": hashlib.sha256(b"x").hexdigest()},
    "StartPlayback": {"reason": "review"},
    "HoldRecording": {"reason": "case 1"},
    "CreateSpotCheck": {"number": 5, "days": 7, "reason": "a tip"},
    "ReplaceSample": {"reason": "NO_CONTENT"},
}


@pytest_asyncio.fixture
async def target(qa: Qa, database: Database) -> Target:
    """qa, for an administrator of one site."""
    channel = qa.channel("root", site=SITE)
    stubs = {service: stub(channel) for service, (_, stub) in STUBS.items()}

    async def call(method: MethodDescriptor, message: Message) -> Message:
        reply: Message = await getattr(stubs[method.containing_service.name], method.name)(message)
        return reply

    return Target(
        call=call,
        database=database,
        address=qa.address,
        token=qa.token("root", site=SITE),
        filled=FILLED,
        site=SITE,
        elsewhere=LIVE,
    )


@writes
async def test_each_fault_is_named(target: Target, method: MethodDescriptor) -> None:
    await bad_input.each_fault_is_named(target, method)


@writes
async def test_what_is_missing_is_named(target: Target, method: MethodDescriptor) -> None:
    await bad_input.missing_is_named(target, method)


@existing
async def test_what_is_not_there_is_not_found(target: Target, method: MethodDescriptor) -> None:
    await bad_input.unknown_is_not_found(target, method)


@writes
async def test_bytes_that_are_no_message_are_refused(target: Target, method: MethodDescriptor) -> None:
    await bad_input.bytes_are_refused(target, method)


@existing
async def test_another_site_says_nothing_of_what_it_has(target: Target, method: MethodDescriptor) -> None:
    await bad_input.elsewhere_says_nothing(target, method, "00000000-0000-7000-8000-000000000000")
