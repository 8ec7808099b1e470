"""What the RPCs read from their requests in the same way: resource names, instants, page positions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.message import Message
from kefu.common.v1 import errors_pb2

from services.kit import pages
from services.kit.errors import InvalidArgument
from services.kit.resource_names import ResourceName

SITE: Final = ResourceName("sites/{site}")
CONVERSATION: Final = ResourceName("sites/{site}/conversations/{conversation}")
ATTACHMENT: Final = ResourceName("sites/{site}/conversations/{conversation}/attachments/{attachment}")
FOLLOW_UP: Final = ResourceName("sites/{site}/conversations/{conversation}/followUps/{follow_up}")


def instant(message: Message, field: str, path: str = "") -> datetime | None:
    """Return a time field in UTC, None when it is absent. Raises InvalidArgument naming it when it is no date."""
    if not message.HasField(field):
        return None
    stamp: Any = getattr(message, field)
    try:
        return datetime.fromtimestamp(stamp.seconds, UTC).replace(microsecond=stamp.nanos // 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidArgument.field(path or field, "is no date between the years 1 and 9999") from error


def position(request: Message) -> tuple[datetime, str] | None:
    """Return where the page before ended, by time and id; None for the first page."""
    found = pages.decode(request)
    if found is None:
        return None
    try:
        at, id_ = found
        return datetime.fromisoformat(at), str(id_)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(errors_pb2.ERROR_REASON_PAGE_TOKEN_MISMATCH) from error
