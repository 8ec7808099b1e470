"""All sites' profiles: which version is in force when, kept up to date from a mounted folder.

A folder holds one file per site and version. A changed file that is refused leaves the running version in force.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from services.policy import loader
from services.policy.faults import Fault, ProfileRefusedError
from services.policy.loader import Version
from services.policy.profile import Profile

log = logging.getLogger("kefu.policy")

POLL_SECONDS = 5.0


class SiteUnknownError(LookupError):
    """No profile of this site is in force at the instant asked for."""


class ProfileSet:
    """Immutable: the versions of all sites, by the first instant at which each is in force."""

    def __init__(self, versions: Iterable[Version]) -> None:
        """Raises ProfileRefusedError when two versions of a site begin on the same day."""
        by_site: dict[str, list[Version]] = {}
        for version in versions:
            by_site.setdefault(version.profile.site, []).append(version)
        for found in by_site.values():
            found.sort(key=lambda version: version.profile.effective_from)
        faults = [fault for found in by_site.values() for fault in _clashes(found)]
        if faults:
            raise ProfileRefusedError(faults)
        self._by_site = {site: tuple(found) for site, found in sorted(by_site.items())}
        self._starts = {site: [v.profile.effective_from for v in found] for site, found in self._by_site.items()}
        self._by_hash = {v.profile.version: v for found in self._by_site.values() for v in found}

    @property
    def sites(self) -> tuple[str, ...]:
        """Ids of all sites, sorted."""
        return tuple(self._by_site)

    def at(self, site: str, instant: datetime) -> Profile:
        """The profile in force at a site at an instant; raises SiteUnknownError where there is none."""
        return self.version_at(site, instant).profile

    def version_at(self, site: str, instant: datetime) -> Version:
        """As `at`, with the canonical body and the origins."""
        index = bisect_right(self._starts.get(site, ()), instant) - 1
        if index < 0:
            raise SiteUnknownError(f"site {site!r} has no profile in force at {instant.isoformat()}")
        return self._by_site[site][index]

    def versions(self, site: str) -> tuple[Version, ...]:
        """All versions of a site, earliest first; empty for an unknown one."""
        return self._by_site.get(site, ())

    def by_hash(self, version: str) -> Version | None:
        """A version by its hash, while it is mounted."""
        return self._by_hash.get(version)


def _clashes(found: list[Version]) -> list[Fault]:
    return [
        Fault("effective_from", f"is the same day as in {earlier.file}", "Write another first day", later.file)
        for earlier, later in itertools.pairwise(found)
        if earlier.profile.effective_from == later.profile.effective_from
    ]


@dataclass(frozen=True, slots=True)
class Status:
    """What the running process knows about its profile files."""

    in_force: ProfileSet
    faults: tuple[Fault, ...] = ()
    """Faults of files that were refused; their last good version, where there was one, stays in force."""
    files: Mapping[str, str] = field(default_factory=dict)
    """File name → digest of the content seen last."""


class Profiles:
    """The profiles of a process: `current` is read on the hot path, `reload` looks at the folder again."""

    def __init__(self, folder: Path, *, on_change: Callable[[Status], None] = lambda _: None) -> None:
        """Load a folder of *.yaml. Raises ProfileRefusedError when any file is refused or there is none: a process
        does not start on bad rules. `on_change` is called after every reload that saw something new."""
        self._folder = folder
        self._on_change = on_change
        self._good: dict[str, Version] = {}
        contents = self._read()
        if not contents:
            raise ProfileRefusedError([Fault("", "holds no *.yaml", "Put one profile per site into it", str(folder))])
        faults = self._take(contents)
        if faults:
            raise ProfileRefusedError(faults)
        self.status = Status(ProfileSet(self._good.values()), (), _digests(contents))

    @property
    def current(self) -> ProfileSet:
        """The profiles in force."""
        return self.status.in_force

    def reload(self) -> bool:
        """Look at the folder once; True when files changed. Never raises for a bad file: see `status.faults`."""
        contents = self._read()
        if _digests(contents) == self.status.files:
            return False
        before = dict(self._good)
        faults = self._take(contents)
        try:
            in_force = ProfileSet(self._good.values())
        except ProfileRefusedError as error:
            faults, self._good = [*faults, *error.faults], before
            in_force = self.current
        self.status = replace(Status(in_force, tuple(faults)), files=MappingProxyType(_digests(contents)))
        for fault in faults:
            log.error("profile refused, the running version stays in force: %s", fault)
        if not faults:
            log.info("profiles reloaded: %s", ", ".join(in_force.sites))
        self._on_change(self.status)
        return True

    async def watch(self, seconds: float = POLL_SECONDS) -> None:
        """Reload for ever. A ConfigMap swaps a symlink, so that contents are compared, not events."""
        while True:
            await asyncio.sleep(seconds)
            self.reload()

    def _read(self) -> dict[str, bytes]:
        """Contents by file name; a file that goes away meanwhile counts as gone."""
        found = {}
        for path in sorted(self._folder.glob("*.yaml")):
            try:
                found[path.name] = path.read_bytes()
            except OSError:
                continue
        return found

    def _take(self, contents: Mapping[str, bytes]) -> list[Fault]:
        """Load what is new; a refused file keeps its last good version."""
        faults: list[Fault] = []
        known = getattr(self, "status", None)
        for name, data in contents.items():
            if known and known.files.get(name) == _digest(data) and name in self._good:
                continue
            try:
                self._good[name] = loader.load_bytes(data, str(self._folder / name))
            except ProfileRefusedError as error:
                faults += error.faults
        faults += self._forget(set(self._good) - set(contents))
        return faults

    def _forget(self, gone: set[str]) -> list[Fault]:
        """Drop versions whose file went away, unless their site would be left without rules."""
        faults = []
        for name in sorted(gone):
            site = self._good[name].profile.site
            if any(other != name and version.profile.site == site for other, version in self._good.items()):
                del self._good[name]
            else:
                reason = f"was removed, but {site} would have no rules: the running version stays in force"
                faults.append(Fault("", reason, "Restart to drop the site", str(self._folder / name)))
        return faults


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: _digest(data) for name, data in contents.items()}
