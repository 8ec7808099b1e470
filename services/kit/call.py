"""The current RPC: who calls, for which site, until when, in which trace; one object in a context variable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from services.kit.access import ANONYMOUS, Kind, Principal
from services.kit.deadline import NO_DEADLINE, Deadline
from services.kit.errors.texts import DEFAULT_LOCALE
from services.kit.telemetry.trace import Span, Trace


class Call:
    """What a command may know of the call that it serves.

    `method` is the full name ("kefu.intake.v1.ConversationService/AppendMessage"), `site` the id of the site that the
    request names ("*" when it names none), `request_id` the caller's idempotency key and `fingerprint` a hash of method
    and request without it (empty without a request_id). `token` is passed on where a neighbour acts for the caller.
    """

    __slots__ = (
        "deadline",
        "fingerprint",
        "locale",
        "method",
        "principal",
        "request_id",
        "site",
        "span",
        "token",
        "trace",
    )

    def __init__(
        self,
        method: str,
        *,
        principal: Principal = ANONYMOUS,
        site: str = "*",
        request_id: str | None = None,
        fingerprint: bytes = b"",
        deadline: Deadline | None = None,
        locale: str = DEFAULT_LOCALE,
        token: str | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.method = method
        self.principal = principal
        self.site = site
        self.request_id = request_id
        self.fingerprint = fingerprint
        self.deadline = deadline or NO_DEADLINE
        self.locale = locale
        self.token = token
        self.trace = trace or Trace()
        self.span: Span | None = None

    def __repr__(self) -> str:
        return f"Call({self.method}, site={self.site}, subject={self.principal.subject})"


_current: ContextVar[Call | None] = ContextVar("kefu_call", default=None)


def current() -> Call:
    """The call being served; raises LookupError outside of one."""
    call = _current.get()
    if call is None:
        raise LookupError("no call is being served here: bind one with services.kit.call.bind()")
    return call


def maybe() -> Call | None:
    """The call being served, or None outside of one."""
    return _current.get()


def enter(call: Call) -> None:
    """Make `call` the current one for the rest of this task (each RPC runs in a task of its own)."""
    _current.set(call)


@contextmanager
def bind(call: Call) -> Iterator[Call]:
    """Make `call` the current one inside the block: timers, consumers and schedules, which no RPC started."""
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)


def system_call(job: str, *, site: str = "*", trace: Trace | None = None) -> Call:
    """The call of a worker's own doing, e.g. `system_call("timer", site="desk")`: of kind SYSTEM, without deadline."""
    return Call(job, principal=Principal(subject=job, kind=Kind.SYSTEM, sites={}), site=site, trace=trace)
