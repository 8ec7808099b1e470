"""What a single field cannot say: rules between the fields of a profile."""

from __future__ import annotations

from collections.abc import Iterator

from kefu.policy.v1 import profile_pb2

from services.policy.checks import calendars, people, promises, scorecard, structure
from services.policy.faults import Fault


def check(message: profile_pb2.SiteProfile) -> list[Fault]:
    """Every fault between fields. The message has passed the rules of its contract."""
    faults = list(structure.check(message))
    if not any(fault.path == "timezone" for fault in faults):
        faults += calendars.check(message)
    for module in (promises, people, scorecard):
        faults += module.check(message)
    return faults


def notes(message: profile_pb2.SiteProfile) -> Iterator[str]:
    """What a reader should know although nothing is wrong."""
    yield from calendars.notes(message)
    yield from scorecard.notes(message)
