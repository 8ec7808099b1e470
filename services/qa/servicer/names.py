"""Names of qa's resources and what its listings share."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from services.kit import pages
from services.kit.errors import InvalidArgument
from services.kit.resource_names import ResourceName

SITE: Final = ResourceName("sites/{site}")
RECORDING: Final = ResourceName("sites/{site}/recordings/{recording}")
PAGE_MOST: Final = 500

Context = Any


def size_of(request: Any) -> int:
    """Entries of a page."""
    return pages.page_size(request.page_size, most=PAGE_MOST)


def recording_ids(name: str, field: str = "name") -> tuple[str, str]:
    """Site and id of a recording's name; raises InvalidArgument."""
    site, id_ = RECORDING.parse(name, field)
    try:
        return site, str(UUID(id_))
    except ValueError as error:
        raise InvalidArgument.field(field, "ends in the id of a recording, a UUID", "recording.id") from error
