"""The settings of the profile, read from the protobuf descriptors: key, field, unit, clauses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from kefu.policy.v1 import options_pb2, profile_pb2

PERIOD = "ISO 8601 period"
"""Unit of intervals."""

BRACKETS = re.compile(r"\[[^]]*]")

LOADER_FIELDS = frozenset({"site_choices"})
"""Top-level fields that the loader fills and people never write."""


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """A setting: its canonical name, the unit of its value and the clauses that it answers to."""

    key: str
    unit: str
    clauses: tuple[str, ...]
    field: FieldDescriptor


@lru_cache(maxsize=1)
def settings() -> Mapping[str, SettingInfo]:
    """All settings by canonical name, in the order of the contract."""
    found = {info.key: info for info in _walk(profile_pb2.SiteProfile.DESCRIPTOR)}
    return MappingProxyType(found)


def _walk(message: Descriptor) -> Iterator[SettingInfo]:
    for group in message.fields:
        if group.message_type is None:
            continue
        for field in group.message_type.fields:
            option = field.GetOptions().Extensions[options_pb2.setting]
            if option.key:
                yield SettingInfo(option.key, option.unit, tuple(option.clauses), field)


def setting_of(path: str) -> SettingInfo | None:
    """The setting to which a path such as "sla.first_response_s.kinds.PRESALES" belongs."""
    group, _, rest = path.partition(".")
    return settings().get(f"{group}.{BRACKETS.sub('', rest).partition('.')[0]}")


def unit_of(path: str) -> str:
    """Unit of the value at a path; empty where it has none or is no setting."""
    if path.endswith("_s"):
        return "s"
    info = setting_of(path)
    return info.unit if info else ""


def short_names(enum: EnumDescriptor) -> Mapping[str, int]:
    """Names of an enum's values as people write them: without the prefix and without the unspecified one."""
    zero = enum.values_by_number[0].name
    prefix = zero.removesuffix("UNSPECIFIED")
    return MappingProxyType({value.name.removeprefix(prefix): value.number for value in enum.values if value.number})


def short_name(enum: EnumDescriptor, number: int) -> str:
    """Name of one value as people write it; empty for the unspecified one."""
    return next((name for name, n in short_names(enum).items() if n == number), "")


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field is a map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def map_value(field: FieldDescriptor) -> FieldDescriptor:
    """The field of a map's values."""
    assert field.message_type is not None
    return field.message_type.fields_by_name["value"]


def plain(message: Any) -> dict[str, Any]:
    """A message as plain values under the names that people write; only what is set."""
    return {field.name: _plain_field(field, value) for field, value in message.ListFields()}


def _plain_field(field: FieldDescriptor, value: Any) -> Any:
    if is_map(field):
        inner = map_value(field)
        return {key: _plain_one(inner, value[key]) for key in sorted(value)}
    if field.is_repeated:
        return [_plain_one(field, item) for item in value]
    return _plain_one(field, value)


def _plain_one(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return plain(value)
    if field.enum_type is not None:
        return short_name(field.enum_type, value)
    return value
