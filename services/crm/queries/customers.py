"""Reading customers."""

from __future__ import annotations

from collections.abc import Sequence

from services.crm.domain.customer import Customer, Identity
from services.crm.domain.rules import tier_rules
from services.crm.store import customers as store
from services.crm.store import standings
from services.crm.store.customers import CustomerStore
from services.crm.store.identities import IdentityStore
from services.kit.db import Transaction
from services.policy.profile import Profile


class CustomerQueries:
    """Files with the identities and the tier that belong to them."""

    def __init__(self, files: CustomerStore, identities: IdentityStore) -> None:
        self._files = files
        self._identities = identities

    async def one(self, tx: Transaction, site: str, customer_id: str) -> Customer:
        """One file. Raises NotFound."""
        return await self._files.get(tx, site, customer_id)

    async def behind(self, tx: Transaction, site: str, channel: str, external_id: str) -> str | None:
        """Who counts for the customer with this identity; None for nobody."""
        found = await self._identities.find(tx, site, channel, [external_id.strip()])
        roots = await store.roots(tx, site, list(found.values()))
        return next(iter(roots.values()), None)

    async def page(
        self, tx: Transaction, profile: Profile, *, after: str, stale: bool, tier: str, limit: int
    ) -> list[Customer]:
        """A page of the site's files by id."""
        default = tier_rules(profile).default
        return await self._files.page(
            tx, profile.site, after=after, stale=stale, tier=tier, default=default, limit=limit
        )

    async def identities(self, tx: Transaction, found: Sequence[Customer]) -> dict[str, list[Identity]]:
        """Identities by file; a customer who counts for others has theirs too."""
        if not found:
            return {}
        files = await store.of_roots(tx, found[0].site, [one.id for one in found])
        files |= {one.id: one.id for one in found}
        by_owner: dict[str, list[Identity]] = {one.id: [] for one in found}
        for identity in await self._identities.of(tx, found[0].site, list(files)):
            for owner in {identity.customer, files[identity.customer]} & by_owner.keys():
                by_owner[owner].append(identity)
        return by_owner

    async def tiers(self, tx: Transaction, profile: Profile, found: Sequence[Customer]) -> dict[str, str]:
        """Tiers by file: that of whom it counts for."""
        held = await standings.held(tx, profile.site, [one.root for one in found])
        default = tier_rules(profile).default
        return {one.id: held[one.root].standing.tier if one.root in held else default for one in found}
