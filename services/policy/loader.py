"""A profile file → a validated, immutable version, or every fault in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import protovalidate
import yaml
from kefu.policy.v1 import profile_pb2

from services.policy import catalogue, checks, provenance, schema, source
from services.policy.build import build
from services.policy.decode import Decoded, decode
from services.policy.faults import Fault, ProfileRefusedError
from services.policy.profile import Profile

FORMS = {
    "site": "lower-case letters, digits and hyphens, such as online-desk",
    "effective_from": "YYYY-MM-DD",
    "date": "YYYY-MM-DD",
    "spans": "HH:MM-HH:MM, such as 09:00-12:00",
    "at": "HH:MM, such as 08:30",
}


@dataclass(frozen=True, slots=True)
class Version:
    """One validated version of a site's profile: as plain view and as message, which nobody may change.

    `body` is its canonical JSON, whose SHA-256 is `profile.version`; `values` the same as plain Python; `choices` the
    site's own values, path → reason; `notes` what a reader should know although nothing is wrong.
    """

    profile: Profile
    message: profile_pb2.SiteProfile
    body: str
    values: Mapping[str, Any]
    choices: Mapping[str, str]
    notes: tuple[str, ...]
    file: str

    def origin(self, path: str) -> str:
        """ "site" for a value that the site chose, "regime" for a regime's figure, "" where no clause gives one."""
        if provenance.chosen(path, self.choices) is not None:
            return "site"
        key = ".".join(path.split(".")[:2])
        return "regime" if key in catalogue.bound_keys() else ""


def load(path: Path) -> Version:
    """Read one file. Raises ProfileRefusedError with every fault."""
    return version_of(_sound(decode(source.read(path)), str(path)), str(path))


def load_bytes(data: bytes, name: str) -> Version:
    """As `load`, from a file's content; `name` is for messages."""
    message = profile_pb2.SiteProfile()
    message.CopyFrom(_read(data, name))  # what is kept stays as it is, whatever becomes of a version
    return version_of(message, name)


@lru_cache(maxsize=32)
def _read(data: bytes, name: str) -> profile_pb2.SiteProfile:
    """The message in a file; dry runs, and stacks that share a process, read the same content again and again."""
    return _sound(decode(source.parse(data, Path(name))), name)


def from_body(body: str, name: str = "stored version") -> Version:
    """A version from its canonical JSON, as stored with the decisions that it judged.

    A stored version was valid when it was first used; it is not held against today's catalogue again.
    """
    values = json.loads(body)
    choices = {choice["path"]: choice["reason"] for choice in values.pop("site_choices", ())}
    out = decode(source.parse(yaml.safe_dump(values, allow_unicode=True).encode(), Path(name)))
    if out.faults:
        raise ProfileRefusedError([fault.at(name, 0) for fault in out.faults])
    for path, reason in choices.items():
        out.profile.site_choices.add(path=path, reason=reason)
    return version_of(out.profile, name)


def _sound(out: Decoded, name: str) -> profile_pb2.SiteProfile:
    """What was decoded, if nothing is wrong with it; raises ProfileRefusedError with every fault."""
    faults = list(out.faults)
    faults += _apart(_rule_faults(out.profile), faults)
    values = schema.plain(out.profile)
    sound = not faults
    if not any(fault.path.startswith("regimes") for fault in faults):
        faults += _apart(provenance.check(values, _choices(out.profile)), faults)
    if sound:  # rules between fields only make sense where each field is right
        faults += _apart(checks.check(out.profile), faults)
    if faults:
        placed = [fault.at(name, _line(out.lines, fault.path)) for fault in faults]
        raise ProfileRefusedError(sorted(placed, key=lambda fault: (fault.line, fault.path)))
    return out.profile


def _apart(found: Iterable[Fault], known: Iterable[Fault]) -> list[Fault]:
    """The faults that are not consequences of known ones: about another place than they."""
    broken = {fault.path for fault in known}
    return [fault for fault in found if not _covered(fault.path, broken)]


def version_of(message: profile_pb2.SiteProfile, name: str) -> Version:
    """The version that a validated message is; `name` is where it came from."""
    body = canonical(message)
    values = schema.plain(message)
    values.pop("site_choices", None)
    return Version(
        profile=build(message, digest(body)),
        message=message,
        body=body,
        values=MappingProxyType(values),
        choices=MappingProxyType(_choices(message)),
        notes=tuple(checks.notes(message)),
        file=name,
    )


def canonical(message: profile_pb2.SiteProfile) -> str:
    """The one spelling of a profile that its hash is taken of: sorted JSON under the names that people write."""
    values = schema.plain(message)
    if "site_choices" in values:
        values["site_choices"] = sorted(values["site_choices"], key=lambda choice: choice["path"])
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(body: str) -> str:
    """Identity of a version: SHA-256 of its canonical body, hexadecimal."""
    return hashlib.sha256(body.encode()).hexdigest()


def _choices(message: profile_pb2.SiteProfile) -> dict[str, str]:
    return {choice.path: choice.reason for choice in message.site_choices}


def _rule_faults(message: profile_pb2.SiteProfile) -> list[Fault]:
    """What breaks the rules written in the contract (protovalidate)."""
    found = []
    for violation in protovalidate.collect_violations(message):
        path = _path(violation.proto.field.elements if violation.proto.field else ())
        unit = schema.unit_of(path)
        if violation.proto.rule_id == "required":
            found.append(Fault(path, "is missing", f"Write it, unit {unit}" if unit else "Write it"))
        elif violation.proto.rule_id == "string.pattern" or unit == schema.PERIOD:
            found.append(Fault(path, "is not of the form that is expected here", f"Write {_form(path, unit)}"))
        else:
            write = "Correct the value"
            found.append(Fault(path, violation.proto.message, f"{write}, unit {unit}" if unit else write))
    return found


def _form(path: str, unit: str) -> str:
    """In words, the form of a text at a path."""
    if unit == schema.PERIOD:
        return "an ISO 8601 period such as P1M, P2W or P1D"
    return FORMS.get(schema.BRACKETS.sub("", path).rpartition(".")[2], "upper-case letters, digits and _")


def _path(elements: Any) -> str:
    """A protovalidate field path as people write it: `queues[2].id`, `sla.first_response_s.kinds.PRESALES`."""
    path = ""
    for element in elements:
        path += f".{element.field_name}" if path else element.field_name
        kind = element.subscript
        if kind is None:
            continue
        value = getattr(kind, "value", kind)
        path += f"[{value}]" if getattr(kind, "field", "") == "index" else f".{value}"
    return path


def _covered(path: str, broken: set[str]) -> bool:
    """Whether a path, or what it lies in or holds, was faulted while decoding."""
    return any(
        path == other or path.startswith((f"{other}.", f"{other}[")) or other.startswith(f"{path}.") for other in broken
    )


def _line(lines: Mapping[str, int], path: str) -> int:
    """Line of a path or of the nearest section around it; 0 where the file has neither."""
    while path:
        if path in lines:
            return lines[path]
        path = path.rpartition(".")[0] if "." in path else ""
    return 0
