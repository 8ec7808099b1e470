"""JSON Schema 2020-12 of messages and fields: protobuf's JSON mapping with the protovalidate rules as constraints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from buf.validate import validate_pb2
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from services.gateway.transcode.routes import is_repeated

Schema = dict[str, Any]
PREFIX: Final = "#/components/schemas/"

_F = FieldDescriptor
_INT32: Final = {"type": "integer", "format": "int32"}
_INT64: Final = {"type": "string", "pattern": r"^-?[0-9]+$", "format": "int64"}
_UINT32: Final = {**_INT32, "minimum": 0}
_UINT64: Final = {**_INT64, "pattern": "^[0-9]+$"}
_SCALARS: Final[dict[int, Schema]] = {
    _F.TYPE_DOUBLE: {"type": "number", "format": "double"},
    _F.TYPE_FLOAT: {"type": "number", "format": "float"},
    _F.TYPE_BOOL: {"type": "boolean"},
    _F.TYPE_STRING: {"type": "string"},
    _F.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    **dict.fromkeys((_F.TYPE_INT32, _F.TYPE_SINT32, _F.TYPE_SFIXED32), _INT32),
    **dict.fromkeys((_F.TYPE_UINT32, _F.TYPE_FIXED32), _UINT32),
    **dict.fromkeys((_F.TYPE_INT64, _F.TYPE_SINT64, _F.TYPE_SFIXED64), _INT64),
    **dict.fromkeys((_F.TYPE_UINT64, _F.TYPE_FIXED64), _UINT64),
}
_WELL_KNOWN: Final[dict[str, Schema]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google.protobuf.FieldMask": {"type": "string", "pattern": r"^[A-Za-z0-9_.,]*$"},
    "google.protobuf.Empty": {"type": "object"},
    "google.protobuf.Struct": {"type": "object"},
}
_NUMBERS: Final = ("int32", "uint32", "sint32", "double", "float")


class Schemas:
    """Collects the schemas of messages as they are referred to; `components` grows while it is used.

    Requests and replies have schemas of their own: a request leaves output fields out and has no required ones beyond
    its rules; a reply always has its fields without presence.
    """

    def __init__(self, comments: Mapping[str, str]) -> None:
        self._comments = comments
        self.components: dict[str, Schema] = {}

    def reference(self, message: Descriptor, *, reply: bool) -> Schema:
        """A reference to a message's schema, which is made when it is new."""
        known = _WELL_KNOWN.get(message.full_name)
        if known is not None:
            return dict(known)
        name = _component(message.full_name) + ("" if reply else "Input")
        if name not in self.components:
            self.components[name] = {}
            self.components[name] = self.message(message, reply=reply)
        return {"$ref": PREFIX + name}

    def message(self, message: Descriptor, *, reply: bool, without: frozenset[str] = frozenset()) -> Schema:
        """The schema of a message without the fields `without`."""
        properties: Schema = {}
        required: list[str] = []
        for field in message.fields:
            if field.name in without or (not reply and _output_only(field)):
                continue
            properties[field.json_name] = self.field(field, reply=reply)
            if (reply and not field.has_presence) or (not reply and _rules(field).required):
                required.append(field.json_name)
        schema: Schema = {"type": "object", "properties": properties}
        if not reply:
            schema["additionalProperties"] = False
        if required:
            schema["required"] = required
        return self._described(schema, message.full_name)

    def field(self, field: FieldDescriptor, *, reply: bool) -> Schema:
        """The schema of one field, rules and comment included."""
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            value = self._single(entry.fields_by_name["value"], reply=reply, rules=validate_pb2.FieldRules())
            return self._described({"type": "object", "additionalProperties": value}, field.full_name)
        rules = _rules(field)
        if not is_repeated(field):
            return self._described(self._single(field, reply=reply, rules=rules), field.full_name)
        schema: Schema = {
            "type": "array",
            "items": self._single(field, reply=reply, rules=rules.repeated.items),
        }
        if not reply:
            if rules.repeated.HasField("min_items"):
                schema["minItems"] = rules.repeated.min_items
            if rules.repeated.HasField("max_items"):
                schema["maxItems"] = rules.repeated.max_items
            if rules.repeated.unique:
                schema["uniqueItems"] = True
        return self._described(schema, field.full_name)

    def _single(self, field: FieldDescriptor, *, reply: bool, rules: validate_pb2.FieldRules) -> Schema:
        if field.message_type is not None:
            return self.reference(field.message_type, reply=reply)
        if field.enum_type is not None:
            return self._enum(field.enum_type, reply=reply, rules=rules)
        schema = dict(_SCALARS[field.type])
        if not reply:
            schema.update(_constraints(rules))
        return schema

    def _enum(self, enum: EnumDescriptor, *, reply: bool, rules: validate_pb2.FieldRules) -> Schema:
        name = _component(enum.full_name)
        if name not in self.components:
            lines = [self._comments.get(enum.full_name, "")]
            lines += [f"- `{v.name}`: {self._comments.get(f'{enum.full_name}.{v.name}', '')}" for v in enum.values]
            values = [value.name for value in enum.values]
            self.components[name] = {"type": "string", "enum": values, "description": "\n".join(lines).strip()}
        refused = set(rules.enum.not_in)
        if reply or not refused:
            return {"$ref": PREFIX + name}
        allowed = [value.name for value in enum.values if value.number not in refused]
        return {"$ref": PREFIX + name, "enum": allowed}

    def _described(self, schema: Schema, name: str) -> Schema:
        comment = self._comments.get(name)
        return {**schema, "description": comment} if comment and "description" not in schema else schema


def _component(full_name: str) -> str:
    """kefu.intake.v1.Conversation.State → ConversationState; names are unique across our packages or carry theirs."""
    parts = full_name.split(".")
    own = "".join(part for part in parts if part[:1].isupper())
    package = parts[1] if parts[0] == "kefu" and len(parts) > 2 else ""
    return f"{package.capitalize()}{own}"


def _rules(field: FieldDescriptor) -> validate_pb2.FieldRules:
    return field.GetOptions().Extensions[validate_pb2.field]


def _output_only(field: FieldDescriptor) -> bool:
    behaviours = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.OUTPUT_ONLY in behaviours


def _constraints(rules: validate_pb2.FieldRules) -> Schema:
    kind = rules.WhichOneof("type")
    if kind == "string":
        return _string(rules.string)
    if kind in _NUMBERS:
        return _number(getattr(rules, kind))
    if kind == "bytes" and rules.bytes.HasField("max_len"):
        # Base64 writes three bytes as four characters.
        return {"maxLength": (rules.bytes.max_len + 2) // 3 * 4, "minLength": (rules.bytes.min_len + 2) // 3 * 4}
    return {}


def _string(rules: validate_pb2.StringRules) -> Schema:
    schema: Schema = {}
    if rules.HasField("pattern"):
        schema["pattern"] = re.sub(r"\\z", "$", rules.pattern)
    if rules.HasField("min_len"):
        schema["minLength"] = rules.min_len
    if rules.HasField("max_len"):
        schema["maxLength"] = rules.max_len
    if getattr(rules, "in"):
        schema["enum"] = list(getattr(rules, "in"))
    if rules.WhichOneof("well_known") in ("uuid", "uri", "email"):
        schema["format"] = str(rules.WhichOneof("well_known"))
    return schema


def _number(rules: Any) -> Schema:
    names = {"gte": "minimum", "gt": "exclusiveMinimum", "lte": "maximum", "lt": "exclusiveMaximum"}
    return {keyword: getattr(rules, name) for name, keyword in names.items() if rules.HasField(name)}
