"""What qa refuses, in its own words."""

from __future__ import annotations

from kefu.common.v1 import errors_pb2

from services.kit.errors import FailedPrecondition, NotFound


def not_found(name: str) -> NotFound:
    """No such thing at the site."""
    return NotFound(metadata={"name": name})


def wrong_state(name: str, state: str, allowed: str) -> FailedPrecondition:
    """The state does not allow it."""
    return FailedPrecondition(errors_pb2.ERROR_REASON_WRONG_STATE, {"name": name, "state": state, "allowed": allowed})


def refused(name: str, fault: str) -> FailedPrecondition:
    """A content is not taken or cannot be played."""
    return FailedPrecondition(errors_pb2.ERROR_REASON_CONTENT_REFUSED, {"name": name, "fault": fault})


def not_drawn(name: str, fault: str) -> FailedPrecondition:
    """A recording cannot be replaced."""
    return FailedPrecondition(errors_pb2.ERROR_REASON_DRAW_REFUSED, {"name": name, "fault": fault})
