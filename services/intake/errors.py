"""What intake refuses, in the form of the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from kefu.common.v1 import errors_pb2

from services.intake.domain import refusal
from services.intake.domain.refusal import Refusal
from services.kit.errors import FailedPrecondition, InvalidArgument, KefuError, NotFound, PermissionDenied


def of_refusal(refused: Refusal) -> KefuError:
    """Return the error that a caller is told for a refusal of the domain."""
    return _FORMS[type(refused)](refused)


def site_unknown(site: str) -> NotFound:
    """The site has no profile here."""
    return NotFound(errors_pb2.ERROR_REASON_SITE_UNKNOWN, {"site": site})


def no_capacity() -> FailedPrecondition:
    """The person takes no further conversation now."""
    return FailedPrecondition(errors_pb2.ERROR_REASON_NO_CAPACITY)


def _wrong_state(refused: refusal.WrongState) -> KefuError:
    allowed = ", ".join(refused.allowed) or "-"
    return FailedPrecondition(metadata={"state": refused.state, "allowed": allowed, "transition": refused.transition})


_FORMS: Final[Mapping[type[Refusal], Callable[[Any], KefuError]]] = {
    refusal.WrongState: _wrong_state,
    refusal.GuardNotMet: lambda r: FailedPrecondition(errors_pb2.ERROR_REASON_GUARD_NOT_MET, {"guard": r.guard}),
    refusal.NotAssignee: lambda _: FailedPrecondition(errors_pb2.ERROR_REASON_NOT_ASSIGNEE),
    refusal.LimitReached: lambda r: FailedPrecondition(errors_pb2.ERROR_REASON_LIMIT_REACHED, {"limit": r.limit}),
    refusal.NoCapacity: lambda _: no_capacity(),
    refusal.ProfileForbids: lambda r: FailedPrecondition(
        errors_pb2.ERROR_REASON_PROFILE_FORBIDS, {"setting": r.setting}
    ),
    refusal.Forbidden: lambda _: PermissionDenied(),
    refusal.Missing: lambda _: NotFound(),
    refusal.InvalidField: lambda r: InvalidArgument.field(r.field, r.description),
}
