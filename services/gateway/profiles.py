"""The sites' profiles as messages, for pages that show a site's name, queues and promises."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from kefu.policy.v1.profile_pb2 import SiteProfile

from services.policy.versions import Profiles, SiteUnknownError

_RELOAD_SECONDS: Final = 5.0


class ProfileBook:
    """Reads the mounted folder, again every few seconds; a refused file leaves the version in force."""

    def __init__(self, folder: Path | None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._profiles = None if folder is None else Profiles(folder)
        self._monotonic = monotonic
        self._read_at = monotonic()
        self._lock = threading.Lock()

    def in_force(self, instant: datetime) -> Mapping[str, SiteProfile]:
        """Site → the profile in force at an instant; empty without a folder."""
        if self._profiles is None:
            return {}
        self._reload(self._profiles)
        found = {}
        for site in self._profiles.current.sites:
            try:
                found[site] = self._profiles.current.version_at(site, instant).message
            except SiteUnknownError:
                continue  # begins later
        return found

    def _reload(self, profiles: Profiles) -> None:
        if self._monotonic() - self._read_at < _RELOAD_SECONDS or not self._lock.acquire(blocking=False):
            return
        try:
            self._read_at = self._monotonic()
            profiles.reload()
        finally:
            self._lock.release()
