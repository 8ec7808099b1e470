"""The rules in force at a site at an instant, worked out once per profile version."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from services.intake import errors
from services.intake.domain.rules import SiteRules
from services.kit.db import Transaction
from services.policy import store
from services.policy.versions import ProfileSet, SiteUnknownError


class RulesOf:
    """Rules by site and instant; `current` gives the profiles in force."""

    def __init__(self, current: Callable[[], ProfileSet]) -> None:
        self._current = current
        self._known: dict[str, SiteRules] = {}
        self._remembered: set[str] = set()

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that have rules."""
        return self._current().sites

    def in_force(self, instant: datetime) -> list[str]:
        """Return the sites that have rules at an instant."""
        return [site for site in self.sites if self._has(site, instant)]

    def at(self, site: str, instant: datetime) -> SiteRules:
        """Return the rules of a site at an instant; raises NotFound SITE_UNKNOWN where there are none."""
        try:
            profile = self._current().at(site, instant)
        except SiteUnknownError as error:
            raise errors.site_unknown(site) from error
        known = self._known.get(profile.version)
        if known is None:
            known = self._known[profile.version] = SiteRules.of(profile)
        return known

    def _has(self, site: str, instant: datetime) -> bool:
        try:
            self._current().at(site, instant)
        except SiteUnknownError:
            return False
        return True

    async def remember(self, tx: Transaction, versions: Iterable[str]) -> None:
        """Keep the versions that judge in this transaction with what they judged."""
        for version in set(versions) - self._remembered:
            found = self._current().by_hash(version)
            if found is not None:
                await store.remember(tx, found)
                tx.after_commit(partial(self._remembered.add, version))
