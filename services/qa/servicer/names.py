"""Names of qa's resources and what its listings share."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from services.kit import pages
from services.kit.errors import InvalidArgument
from services.kit.resource_names import ResourceName

SITE: Final = ResourceName("sites/{site}")
RECORDING: Final = ResourceName("sites/{site}/recordings/{recording}")
RUBRIC: Final = ResourceName("sites/{site}/rubrics/{rubric}")
REVIEW: Final = ResourceName("sites/{site}/reviews/{review}")
PERSON: Final = ResourceName("sites/{site}/people/{person}")
SCORECARD: Final = ResourceName("sites/{site}/people/{person}/scorecards/{period}")
MEMBER: Final = ResourceName("sites/{site}/members/{member}")
PAGE_MOST: Final = 500

Context = Any


def size_of(request: Any) -> int:
    """Entries of a page."""
    return pages.page_size(request.page_size, most=PAGE_MOST)


def recording_ids(name: str, field: str = "name") -> tuple[str, str]:
    """Site and id of a recording's name; raises InvalidArgument."""
    return uuid_ids(RECORDING, name, field)


def uuid_ids(form: ResourceName, name: str, field: str = "name") -> tuple[str, str]:
    """Site and id of a resource whose ids are UUIDs; raises InvalidArgument."""
    site, id_ = form.parse(name, field)
    try:
        return site, str(UUID(id_))
    except ValueError as error:
        kind = form.variables[-1]
        raise InvalidArgument.field(field, f"ends in the id of a {kind}, a UUID", f"{kind}.id") from error
