"""The rules of a site at an instant, as its profile has them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from kefu.common.v1 import errors_pb2

from services.kit.errors import NotFound
from services.policy.profile import Profile
from services.policy.versions import ProfileSet, SiteUnknownError


class SiteProfiles:
    """Profiles by site; `current` gives the set that is in force."""

    def __init__(self, current: Callable[[], ProfileSet]) -> None:
        self._current = current

    def at(self, site: str, instant: datetime) -> Profile:
        """The profile in force; raises NotFound SITE_UNKNOWN where there is none."""
        try:
            return self._current().at(site, instant)
        except SiteUnknownError as unknown:
            raise NotFound(errors_pb2.ERROR_REASON_SITE_UNKNOWN, {"site": site}) from unknown

    def in_force(self, instant: datetime) -> list[Profile]:
        """Every site's profile at an instant."""
        found = []
        for site in self._current().sites:
            try:
                found.append(self._current().at(site, instant))
            except SiteUnknownError:
                continue
        return found
