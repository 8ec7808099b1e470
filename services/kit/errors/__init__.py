"""Why a call fails: one exception tree, its form on the wire, and its words in Chinese and English."""

from __future__ import annotations

from services.kit.errors.status import DETAILS_KEY, from_rpc_error, from_status, to_status
from services.kit.errors.texts import DEFAULT_LOCALE, LOCALES, choose_locale, text
from services.kit.errors.tree import (
    Aborted,
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    Internal,
    InvalidArgument,
    KefuError,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)

__all__ = [
    "DEFAULT_LOCALE",
    "DETAILS_KEY",
    "LOCALES",
    "Aborted",
    "AlreadyExists",
    "DeadlineExceeded",
    "FailedPrecondition",
    "FieldViolation",
    "Internal",
    "InvalidArgument",
    "KefuError",
    "NotFound",
    "PermissionDenied",
    "ResourceExhausted",
    "Unauthenticated",
    "Unavailable",
    "choose_locale",
    "from_rpc_error",
    "from_status",
    "text",
    "to_status",
]
