"""Names of qa's resources and what its listings share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.kit import pages
from services.kit.errors import InvalidArgument
from services.kit.resource_names import ResourceName

SITE: Final = ResourceName("sites/{site}")
RECORDING: Final = ResourceName("sites/{site}/recordings/{recording}")
PLAYBACK: Final = ResourceName("sites/{site}/recordings/{recording}/playbacks/{playback}")
DRAW: Final = ResourceName("sites/{site}/draws/{draw}")
SAMPLE: Final = ResourceName("sites/{site}/draws/{draw}/samples/{sample}")
RUBRIC: Final = ResourceName("sites/{site}/rubrics/{rubric}")
REVIEW: Final = ResourceName("sites/{site}/reviews/{review}")
MEMBER: Final = ResourceName("sites/{site}/members/{member}")
PERSON: Final = ResourceName("sites/{site}/people/{person}")
REGISTRY: Final = ResourceName("sites/{site}/metricRegistry")
SCORECARD: Final = ResourceName("sites/{site}/people/{person}/scorecards/{period}")
APPRAISAL: Final = ResourceName("sites/{site}/appraisals/{appraisal}")
CALIBRATION: Final = ResourceName("sites/{site}/calibrations/{calibration}")
BONUS_POOL: Final = ResourceName("sites/{site}/bonusPools/{bonus_pool}")
MATTER: Final = ResourceName("sites/{site}/matters/{matter}")
PAGE_MOST: Final = 500

Context = Any
# Sorts after everything, as `pages` gives positions.
END: Final = ["9999-12-31T00:00:00+00:00", "ffffffff-ffff-ffff-ffff-ffffffffffff"]


def size_of(request: Any) -> int:
    """Entries of a page."""
    return pages.page_size(request.page_size, most=PAGE_MOST)


def recording_ids(name: str, field: str = "name") -> tuple[str, str]:
    """Site and id of a recording's name; raises InvalidArgument."""
    return uuid_ids(RECORDING, name, field)


def playback_ids(name: str) -> tuple[str, str, str]:
    """Site, recording and id of a playback's name; raises InvalidArgument."""
    site, recording, playback = PLAYBACK.parse(name)
    return site, uuid_of(recording, "recording"), uuid_of(playback, "playback")


def sample_ids(name: str) -> tuple[str, str, str]:
    """Site, draw and recording of a sample's name; raises InvalidArgument."""
    site, draw, recording = SAMPLE.parse(name)
    return site, draw, uuid_of(recording, "sample")


def ids_of_site(site: str, names: Iterable[str]) -> list[str]:
    """The ids of recordings of one site; raises InvalidArgument."""
    ids = []
    for index, name in enumerate(names):
        other, id_ = recording_ids(name, f"recordings[{index}]")
        if other != site:
            raise InvalidArgument.field(f"recordings[{index}]", "must be of the same site", "recordings.site")
        ids.append(id_)
    return ids


def before_of(request: Any) -> tuple[datetime, str]:
    """The instant and id before which a page begins, latest first."""
    at, id_ = pages.decode(request) or END
    return datetime.fromisoformat(at), id_


def uuid_ids(form: ResourceName, name: str, field: str = "name") -> tuple[str, str]:
    """Site and id of a resource whose ids are UUIDs; raises InvalidArgument."""
    site, id_ = form.parse(name, field)
    return site, uuid_of(id_, form.variables[-1], field)


def uuid_of(id_: str, kind: str, field: str = "name") -> str:
    """An id that is a UUID, in its usual form; raises InvalidArgument."""
    try:
        return str(UUID(id_))
    except ValueError as error:
        raise InvalidArgument.field(field, f"ends in the id of a {kind}, a UUID", f"{kind}.id") from error
