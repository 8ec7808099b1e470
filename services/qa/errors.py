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
