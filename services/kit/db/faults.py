"""Driver errors → KefuError. What a constraint says (unique, foreign key, check) is left for `store.py` to read."""

from __future__ import annotations

from types import TracebackType
from typing import NoReturn

import asyncpg

from services.kit.errors import Aborted, DeadlineExceeded, KefuError, ResourceExhausted, Unavailable

_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InternalClientError,  # the server's last words are still being read: the connection is about to end
    OSError,
)
_RACED = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,
)


def as_kefu(error: BaseException) -> KefuError | None:
    """Return the typed form of a driver error, or None when it is not about being available, raced or late."""
    if isinstance(error, (asyncpg.QueryCanceledError, TimeoutError)):
        return DeadlineExceeded()
    if isinstance(error, _RACED):
        return Aborted()
    if isinstance(error, _AWAY) or (isinstance(error, asyncpg.InterfaceError) and "connection" in str(error)):
        return Unavailable(metadata={"part": "postgresql"})
    if isinstance(error, asyncpg.InsufficientResourcesError):
        return ResourceExhausted()
    return None


class translated:  # noqa: N801 - reads as a word: `with translated(): …`
    """Context that turns driver errors into KefuError; others pass."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if error is None or isinstance(error, KefuError):
            return None
        typed = as_kefu(error)
        return None if typed is None else _raise(typed, error)


def _raise(typed: KefuError, cause: BaseException) -> NoReturn:
    raise typed from cause
