"""Which site a request is about: taken from the resource names in it, by a rule compiled once per request type.

The site comes from `name`, else `parent`, else `site`, else the `name` of a resource inside (AIP-134: UpdateX carries
`x.name`). Where several are given they must agree, so that nobody passes the permission check with one site and reaches
another. A request type with none of them is about every site ("*"), and so is `sites/-` (AIP-159).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from google.api import resource_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from services.kit.access import EVERY_SITE
from services.kit.errors.tree import InvalidArgument

_PREFIX: Final = "sites/"
_Read = Callable[[Any], str]


def site_of(descriptor: Descriptor) -> Callable[[Any], str] | None:
    """A function from a request to its site id; it raises InvalidArgument naming the field. None: always every site."""
    places = _places(descriptor)
    if not places:
        return None
    (first_path, first_read), others = places[0], places[1:] + _references(descriptor)

    def site(request: Any) -> str:
        found = parse_site(first_read(request), first_path)
        for path, read in others:
            value = read(request)
            # An optional field left empty, or a resource that belongs to no site, says nothing about the site.
            if value.startswith(_PREFIX) and parse_site(value, path) != found:
                raise InvalidArgument.field(path, f"belongs to another site than {first_path}", "site.same")
        return found

    return site


def parse_site(value: str, path: str) -> str:
    """The site id of "sites/desk" or "sites/desk/queues/q"; raises InvalidArgument naming `path`."""
    if value.startswith(_PREFIX):
        end = value.find("/", 6)
        found = value[6:] if end < 0 else value[6:end]
        if found:
            return EVERY_SITE if found == "-" else found
    raise InvalidArgument.field(path, "must begin with sites/{site}", "resource_name")


def _places(descriptor: Descriptor) -> list[tuple[str, _Read]]:
    places: list[tuple[str, _Read]] = []
    for name in ("name", "parent", "site"):
        field = descriptor.fields_by_name.get(name)
        if field is not None and _is_text(field):
            places.append((name, attrgetter(name)))
    for field in descriptor.fields:
        if field.message_type is None or field.is_repeated:
            continue
        inner = field.message_type.fields_by_name.get("name")
        if (
            inner is not None
            and _is_text(inner)
            and field.message_type.GetOptions().HasExtension(resource_pb2.resource)
        ):
            places.append((f"{field.name}.name", attrgetter(f"{field.name}.name")))
    return places


def _references(descriptor: Descriptor) -> list[tuple[str, _Read]]:
    """Further fields that name a resource (google.api.resource_reference), at the top and one level down."""
    found: list[tuple[str, _Read]] = []
    for field in descriptor.fields:
        if field.name in ("name", "parent", "site") or field.is_repeated:
            continue
        if _is_reference(field):
            found.append((field.name, attrgetter(field.name)))
        elif field.message_type is not None:
            found += [
                (f"{field.name}.{inner.name}", attrgetter(f"{field.name}.{inner.name}"))
                for inner in field.message_type.fields
                if _is_reference(inner)
            ]
    return found


def _is_text(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated


def _is_reference(field: FieldDescriptor) -> bool:
    return _is_text(field) and field.GetOptions().HasExtension(resource_pb2.resource_reference)
