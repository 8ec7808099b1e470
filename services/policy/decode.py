"""YAML nodes → `SiteProfile`, with every fault instead of the first one.

A value stands either plainly, which claims the figure of a composed regime, or as
`{value: 30, origin: site, reason: …}`, which says that the site chose it. Origins are collected as site choices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import yaml
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from kefu.policy.v1 import profile_pb2

from services.policy import schema
from services.policy.faults import Fault
from services.policy.source import line

INTEGER = re.compile(r"^(0|-?[1-9][0-9]*)$")
NUMBER = re.compile(r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$")
WITH_UNIT = re.compile(r"^(-?[0-9.]+)\s*(ms|s|sec|m|min|h|d|%|秒|分钟|分|小时|天)$")
SECONDS = {
    "s": 1,
    "sec": 1,
    "秒": 1,
    "m": 60,
    "min": 60,
    "分": 60,
    "分钟": 60,
    "h": 3600,
    "小时": 3600,
    "d": 86400,
    "天": 86400,
}
TEXT_TAGS = ("str", "timestamp")
WRAPPER_KEYS = frozenset({"value", "origin", "reason"})


@dataclass(slots=True)
class Decoded:
    """A decoded file: the message, where each path stands, and what is wrong so far."""

    profile: profile_pb2.SiteProfile = field(default_factory=profile_pb2.SiteProfile)
    lines: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, path: str, reason: str, write: str, node: yaml.Node) -> None:
        """Record a fault at a node."""
        self.faults.append(Fault(path, reason, write, line=line(node)))


def decode(root: yaml.MappingNode) -> Decoded:
    """Decode a whole file. Look at `faults` before using `profile`."""
    out = Decoded()
    _message(out, root, out.profile, "")
    return out


def _message(out: Decoded, node: yaml.Node, message: Any, path: str) -> None:
    """Fill a message from a mapping node."""
    descriptor: Descriptor = message.DESCRIPTOR
    if not isinstance(node, yaml.MappingNode):
        out.fault(path, "is not a section", f"Write a mapping with {_names(descriptor)}", node)
        return
    for key, value in _entries(out, node, path):
        here = f"{path}.{key}" if path else key
        known = descriptor.fields_by_name.get(key)
        if known is None or (not path and key in schema.LOADER_FIELDS):
            out.fault(here, "is not a known key", _nearest(key, descriptor), value)
        else:
            _field(out, value, message, known, here)


def _entries(out: Decoded, node: yaml.MappingNode, path: str) -> Iterator[tuple[str, yaml.Node]]:
    """Keys and values of a mapping; duplicate and non-text keys are faults. Records where each path stands."""
    seen: set[str] = set()
    for key_node, value in node.value:
        key = str(key_node.value)
        here = f"{path}.{key}" if path else key
        if key in seen:
            out.fault(here, "stands twice", "Keep one of the two", key_node)
            continue
        seen.add(key)
        out.lines[here] = line(key_node)
        yield key, value


def _nearest(key: str, descriptor: Descriptor) -> str:
    if key in schema.LOADER_FIELDS:
        return "Mark each value where it stands: `{value: …, origin: site, reason: …}`"
    here = get_close_matches(key, [f.name for f in descriptor.fields], n=1, cutoff=0.6)
    if here:
        return f"Did you mean `{here[0]}`?"
    elsewhere = {name.split(".")[1]: name for name in schema.settings()}
    if key in elsewhere:
        return f"Did you mean `{elsewhere[key]}`?"
    far = get_close_matches(key, list(elsewhere), n=1, cutoff=0.75)
    return f"Did you mean `{elsewhere[far[0]]}`?" if far else f"Known here: {_names(descriptor)}"


def _names(descriptor: Descriptor) -> str:
    return ", ".join(field.name for field in descriptor.fields if field.name not in schema.LOADER_FIELDS)


def _field(out: Decoded, node: yaml.Node, message: Any, known: FieldDescriptor, path: str) -> None:
    """Set one field of a message from a node, unwrapping `{value, origin, reason}` first."""
    inner = _unwrap(out, node, path)
    if inner is None:
        return
    if schema.is_map(known):
        _map(out, inner, getattr(message, known.name), known, path)
    elif known.is_repeated:
        _list(out, inner, getattr(message, known.name), known, path)
    elif known.message_type is not None:
        child = getattr(message, known.name)
        child.SetInParent()
        _message(out, inner, child, path)
    else:
        value = _scalar(out, inner, known, path)
        if value is not None:
            setattr(message, known.name, value)


def _unwrap(out: Decoded, node: yaml.Node, path: str) -> yaml.Node | None:
    """The value of a wrapper, recording the site's choice; None where nothing usable is there."""
    if _blank(node):
        out.fault(path, "is blank", "Write the value, or leave the key out where no regime needs it", node)
        return None
    if not isinstance(node, yaml.MappingNode) or not {str(k.value) for k, _ in node.value} & {"value", "origin"}:
        return node
    parts: dict[str, yaml.Node] = {str(k.value): v for k, v in node.value}
    if len(parts) < len(node.value):
        out.fault(path, "is marked twice", "Write `value`, `origin` and `reason` once each", node)
        return None
    unknown = sorted(set(parts) - WRAPPER_KEYS)
    if unknown:
        out.fault(
            f"{path}.{unknown[0]}", "is not a known key", "A marked value has `value`, `origin` and `reason`", node
        )
        return None
    if "value" not in parts or _blank(parts["value"]):
        out.fault(path, "is blank", "Write `value:` beside `origin:`", node)
        return None
    _choice(out, parts, node, path)
    return parts["value"]


def _choice(out: Decoded, parts: dict[str, yaml.Node], node: yaml.Node, path: str) -> None:
    origin = str(parts["origin"].value) if "origin" in parts else ""
    reason = str(parts["reason"].value).strip() if "reason" in parts and not _blank(parts["reason"]) else ""
    if origin == "site" and reason:
        out.profile.site_choices.add(path=path, reason=reason)
    elif origin == "site":
        out.fault(path, "is marked origin: site without a reason", "Add `reason:` with why the site chose it", node)
    elif origin != "regime":
        out.fault(path, f"has origin {origin or 'missing'}", "Write `origin: site` (or `origin: regime`)", node)


def _blank(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and (node.tag.endswith(":null") or not str(node.value).strip())


def _map(out: Decoded, node: yaml.Node, target: Any, known: FieldDescriptor, path: str) -> None:
    if not isinstance(node, yaml.MappingNode):
        out.fault(path, "is not a mapping", "Write `KEY: value` lines", node)
        return
    inner = schema.map_value(known)
    for key, value in _entries(out, node, path):
        here = f"{path}.{key}"
        unwrapped = _unwrap(out, value, here)
        if unwrapped is None:
            continue
        if inner.message_type is not None:
            _message(out, unwrapped, target[key], here)
        elif (scalar := _scalar(out, unwrapped, inner, here)) is not None:
            target[key] = scalar


def _list(out: Decoded, node: yaml.Node, target: Any, known: FieldDescriptor, path: str) -> None:
    if not isinstance(node, yaml.SequenceNode):
        out.fault(path, "is not a list", "Write `[a, b]` or one `- item` a line", node)
        return
    for index, item in enumerate(node.value):
        here = f"{path}[{index}]"
        out.lines[here] = line(item)
        if _blank(item):
            out.fault(here, "is blank", "Write the item or remove it", item)
        elif known.message_type is not None:
            _message(out, item, target.add(), here)
        elif (scalar := _scalar(out, item, known, here)) is not None:
            target.append(scalar)


def _scalar(out: Decoded, node: yaml.Node, known: FieldDescriptor, path: str) -> Any:
    """The Python value of a scalar node for a field; None after a fault."""
    if not isinstance(node, yaml.ScalarNode):
        out.fault(path, "is not a single value", f"Write {_expected(known)}", node)
        return None
    text = str(node.value)
    if known.enum_type is not None:
        names = schema.short_names(known.enum_type)
        number = names.get(text.replace("-", "_"))
        if number is None:
            near = get_close_matches(text.upper(), list(names), n=1, cutoff=0.6)
            write = f"Did you mean `{near[0]}`?" if near else f"Write one of {', '.join(names)}"
            out.fault(path, f"has the unknown value {text!r}", write, node)
        return number
    if known.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        if node.tag.rsplit(":", 1)[1] in TEXT_TAGS or ":" in text:  # 10:30 is a base-60 number to YAML 1.1
            return text
        out.fault(path, f"is {text!r}, not text", f'Write "{text}" in quotes if it is meant as text', node)
        return None
    return _number_or_flag(out, node, known, path, text)


def _number_or_flag(out: Decoded, node: yaml.ScalarNode, known: FieldDescriptor, path: str, text: str) -> Any:
    quoted = node.style in ("'", '"')
    if known.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if text in ("true", "false") and not quoted:
            return text == "true"
    elif known.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        if NUMBER.match(text) and not quoted:
            return float(text)
    elif INTEGER.match(text) and not quoted and abs(int(text)) < 2**31:
        return int(text)
    unit = schema.unit_of(path)
    given = WITH_UNIT.match(text)
    if given and unit == "s" and given[2] in SECONDS:
        out.fault(
            path,
            f"has a unit in its value ({text!r})",
            f"Write {float(given[1]) * SECONDS[given[2]]:g}, the unit is s",
            node,
        )
    elif given:
        out.fault(
            path, f"has a unit in its value ({text!r})", f"Write a plain number, the unit is {unit or 'none'}", node
        )
    else:
        out.fault(path, f"is {text!r}", f"Write {_expected(known)}{f', unit {unit}' if unit else ''}", node)
    return None


def _expected(known: FieldDescriptor) -> str:
    if known.enum_type is not None:
        return f"one of {', '.join(schema.short_names(known.enum_type))}"
    kinds = {
        FieldDescriptor.CPPTYPE_BOOL: "true or false",
        FieldDescriptor.CPPTYPE_DOUBLE: "a number",
        FieldDescriptor.CPPTYPE_STRING: "text",
    }
    return kinds.get(known.cpp_type, "a whole number")
