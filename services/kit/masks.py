"""Update masks (AIP-134): required, checked against the message and against what may be changed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from services.kit.errors.tree import FieldViolation, InvalidArgument


def paths(mask: FieldMask, message: Message, *, allowed: Collection[str]) -> tuple[str, ...]:
    """The mask's paths, each once and in the mask's order.

    `allowed` are the fields that callers may change; a path below an allowed one is allowed. Raises InvalidArgument
    naming `update_mask` when it is empty, is "*", or has a path that the message lacks or that may not be changed.
    """
    found = tuple(dict.fromkeys(mask.paths))
    if not found:
        raise InvalidArgument.field("update_mask", "is required: list the fields to change", "update_mask.required")
    violations = [
        FieldViolation("update_mask", f"{path}: {fault}", "update_mask.path")
        for path in found
        if (fault := _fault(cast(Descriptor, message.DESCRIPTOR), path, allowed)) is not None
    ]
    if violations:
        raise InvalidArgument(fields=violations)
    return found


def apply(mask_paths: Collection[str], source: Message, target: Message) -> None:
    """Copy the named fields from `source` to `target`; a field unset in `source` is cleared, lists are replaced."""
    FieldMask(paths=mask_paths).MergeMessage(source, target, replace_message_field=True, replace_repeated_field=True)


def _fault(descriptor: Descriptor, path: str, allowed: Collection[str]) -> str | None:
    if path == "*":
        return "name each field to change"
    at: Any = descriptor
    for name in path.split("."):
        field = at.fields_by_name.get(name) if at is not None else None
        if field is None:
            return "no such field"
        at = None if field.is_repeated else field.message_type
    if not any(path == one or path.startswith(f"{one}.") for one in allowed):
        return f"cannot be changed; these can: {', '.join(sorted(allowed))}"
    return None
