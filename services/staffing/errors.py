"""What staffing refuses, in its own words."""

from __future__ import annotations

from services.kit.errors import Aborted, AlreadyExists, FailedPrecondition, NotFound


def not_found(name: str) -> NotFound:
    """No such person at the site."""
    return NotFound(metadata={"name": name})


def taken(name: str) -> AlreadyExists:
    """The id belongs to somebody already, perhaps to one who left."""
    return AlreadyExists(metadata={"name": name})


def person_left(name: str) -> FailedPrecondition:
    """Somebody who left has no presence and cannot be edited."""
    return FailedPrecondition(metadata={"name": name, "state": "LEFT", "allowed": "-"})


def stale(name: str) -> Aborted:
    """The etag is of an earlier revision."""
    return Aborted(metadata={"name": name})
