"""What every contract must declare, read from the descriptors alone."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterator

import pytest
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from services.gateway.transcode.routes import Routes, http_rules, message_type, permission_of, read_routes
from services.kit.access import Access
from services.policy import catalogue

_LEVEL = descriptor_pb2.MethodOptions
# Names of fields that hold what a person is called, says, or can be reached by.
_PERSONAL = re.compile(
    r"^(text|subject|summary|need|comment|reason|note|outcome|query|first_message|phone|email|address|content|secret)$"
    r"|_name$|_phone$|_email$|_address$"
)
# Names of things, not of people; and words that come from a closed list.
_NOT_PERSONAL = {
    "kefu.intake.v1.ExportServiceLevelReportResponse.file_name": "made by us",
    "kefu.intake.v1.ExportServiceLevelReportResponse.content": "figures",
    "kefu.staffing.v1.ExportShiftsResponse.file_name": "made by us",
    "kefu.crm.v1.Campaign.subject": "the company's template, in which {name} is not filled yet",
    "kefu.crm.v1.Survey.subject": "likewise",
    "kefu.crm.v1.CampaignCount.reason": "from a closed list",
    "kefu.qa.v1.CloseAppraisalRequest.outcome": "from a closed list",
    "kefu.qa.v1.Metric.query": "SQL of ours",
    "kefu.qa.v1.DrawRecord": "a record that everybody may read",
    "kefu.qa.v1.Verifier": "a program",
    "kefu.qa.v1.ReplaceSampleRequest.reason": "from a closed list",
    "kefu.qa.v1.Recording.subject": "a resource name",
    "kefu.qa.v1.RegisterRecordingRequest.subject": "a resource name",
    "kefu.events.v1.RecordingChanged.subject": "a resource name",
    "kefu.policy.v1": "rules of a site, written for everybody",
}


def routes() -> Routes:
    return read_routes((importlib.resources.files("kefu") / "image.binpb").read_bytes())


METHODS = sorted({route.method.full_name: route.method for route in routes().all}.values(), key=lambda m: m.full_name)
WRITES = [m for m in METHODS if m.GetOptions().idempotency_level != _LEVEL.NO_SIDE_EFFECTS]
LISTS = [m for m in METHODS if m.name.startswith("List")]


def messages(root: Descriptor, seen: set[str]) -> Iterator[Descriptor]:
    if root.full_name in seen or not root.full_name.startswith("kefu."):
        return
    seen.add(root.full_name)
    yield root
    for field in root.fields:
        if field.message_type is not None:
            yield from messages(field.message_type, seen)


def every_message() -> list[Descriptor]:
    seen: set[str] = set()
    return [m for method in METHODS for root in (method.input_type, method.output_type) for m in messages(root, seen)]


def named(method: MethodDescriptor) -> str:
    return str(method.full_name)


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_a_method_says_who_may_call_it_and_whether_it_may_be_repeated(method: MethodDescriptor) -> None:
    assert re.fullmatch(r"public|authenticated|[a-z_]+(\.[a-z_]+)+", permission_of(method))
    level = method.GetOptions().idempotency_level
    assert level in (_LEVEL.NO_SIDE_EFFECTS, _LEVEL.IDEMPOTENT)
    reads = all(rule.WhichOneof("pattern") == "get" for rule in http_rules(method))
    assert reads == (level == _LEVEL.NO_SIDE_EFFECTS), "GET has no side effects, and nothing else is free of them"


def test_every_public_service_is_on_rest() -> None:
    internal = {"kefu.common.v1.ClockService", "kefu.common.v1.SubjectService"}
    files = descriptor_pb2.FileDescriptorSet.FromString(
        (importlib.resources.files("kefu") / "image.binpb").read_bytes()
    )
    declared = {
        f"{file.package}.{service.name}.{method.name}"
        for file in files.file
        if file.package.startswith("kefu.")
        for service in file.service
        if f"{file.package}.{service.name}" not in internal
        for method in service.method
    }
    assert declared == {method.full_name for method in METHODS}


@pytest.mark.parametrize("method", LISTS, ids=named)
def test_a_list_comes_in_pages(method: MethodDescriptor) -> None:
    asked, given = method.input_type.fields_by_name, method.output_type.fields_by_name
    assert asked["page_size"].type == FieldDescriptor.TYPE_INT32
    assert asked["page_token"].type == FieldDescriptor.TYPE_STRING
    assert given["next_page_token"].type == FieldDescriptor.TYPE_STRING
    assert sum(field.is_repeated for field in method.output_type.fields) == 1


@pytest.mark.parametrize("method", WRITES, ids=named)
def test_a_write_takes_a_request_id(method: MethodDescriptor) -> None:
    field = method.input_type.fields_by_name["request_id"]
    rules = field.GetOptions().Extensions[validate_pb2.field]
    assert 36 <= rules.string.max_len <= 64


@pytest.mark.parametrize("method", [m for m in METHODS if m.name.startswith("Update")], ids=named)
def test_an_update_takes_a_mask(method: MethodDescriptor) -> None:
    mask = method.input_type.fields_by_name["update_mask"]
    assert message_type(mask).full_name == "google.protobuf.FieldMask"


def test_what_is_personal_is_marked() -> None:
    unmarked = [
        field.full_name
        for message in every_message()
        if not message.full_name.startswith(tuple(_NOT_PERSONAL))
        for field in message.fields
        if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
        and _PERSONAL.search(field.name)
        and field.full_name not in _NOT_PERSONAL
        and not field.GetOptions().debug_redact
    ]
    assert unmarked == []


def test_texts_are_bounded() -> None:
    """A string of a request without a length, pattern or list of values is a way to fill the disk."""
    seen: set[str] = set()
    unbounded = []
    for method in WRITES:
        for message in messages(method.input_type, seen):
            for field in message.fields:
                if field.type != FieldDescriptor.TYPE_STRING or field.message_type is not None:
                    continue
                if message.GetOptions().map_entry:
                    continue  # a map's keys are bounded where it is declared
                rules = field.GetOptions().Extensions[validate_pb2.field]
                text = rules.repeated.items.string if field.is_repeated else rules.string
                output = any(value in (3, 8) for value in _behaviours(field))
                bounded = text.HasField("max_len") or text.HasField("pattern") or getattr(text, "in")
                if not bounded and not output and field.name not in ("name", "etag"):
                    unbounded.append(field.full_name)
    assert unbounded == []


def _behaviours(field: FieldDescriptor) -> list[int]:
    from google.api import field_behavior_pb2

    return list(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def test_somebody_but_the_admin_may_call_every_method() -> None:
    from pathlib import Path

    access = Access.read(Path(str(catalogue.__file__)).parent / "access.yaml")
    roles = [role for role in access.roles if role != "admin"]
    admins_only = {"service_accounts.manage"}
    closed = [
        method.full_name
        for method in METHODS
        if permission_of(method) not in {"public", "authenticated"} | admins_only
        and not any(access.grants([role], permission_of(method)) for role in roles)
    ]
    assert closed == []


def test_no_two_methods_share_a_path() -> None:
    keys = [(route.verb, re.sub(r"\{[^}]*\}", "*", route.template.openapi()[0])) for route in routes().all]
    assert len(keys) == len(set(keys))
