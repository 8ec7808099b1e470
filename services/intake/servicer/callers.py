"""Who calls, as the domain sees them."""

from __future__ import annotations

from typing import Final

from kefu.common.v1 import errors_pb2

from services.intake.domain.commands import Caller
from services.intake.domain.values import CallerKind
from services.kit.access import Kind
from services.kit.call import Call
from services.kit.errors import FailedPrecondition, PermissionDenied

BOT: Final = "bot"
SIMULATOR: Final = "simulator"
SUPERVISE: Final = "conversations.supervise"


def caller_of(call: Call) -> Caller:
    """Return the caller of an RPC."""
    principal = call.principal
    if principal.kind is Kind.CUSTOMER:
        claims = principal.claims
        return Caller(
            CallerKind.CUSTOMER,
            principal.subject,
            customer=str(claims.get("customer", "")),
            channel=str(claims.get("channel", "")),
        )
    return Caller(
        CallerKind(principal.kind.value),
        principal.subject,
        supervisor=principal.may(SUPERVISE, call.site),
        bot=principal.kind is Kind.SERVICE and BOT in principal.roles(call.site),
    )


def simulated(call: Call, asked: bool, *, allowed: bool) -> bool:
    """Whether the traffic is simulated: the simulator's own calls, or tokens that it issued.

    Raises PermissionDenied for anybody else who asks for it, FailedPrecondition where simulation is not allowed.
    """
    principal = call.principal
    marked = bool(principal.claims.get("simulated")) or SIMULATOR in principal.roles(call.site)
    if asked and not marked:
        raise PermissionDenied
    if not (asked or bool(principal.claims.get("simulated"))):
        return False
    if not allowed:
        raise FailedPrecondition(errors_pb2.ERROR_REASON_SIMULATION_REFUSED)
    return True
