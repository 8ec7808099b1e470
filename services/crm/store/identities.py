"""SQL of identities: who a customer is on each channel. Merges leave these rows as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from services.crm.domain.customer import Identity
from services.kit.crypto import Vault
from services.kit.db import Transaction

_ADD: Final = """
INSERT INTO identities (site, channel, external_index, external_sealed, customer_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING true
"""
_FIND: Final = """
SELECT external_index, customer_id FROM identities
WHERE site = $1 AND channel = $2 AND external_index = ANY ($3::bytea[])
"""
_OF: Final = """
SELECT channel, external_sealed, customer_id FROM identities WHERE site = $1 AND customer_id = ANY ($2::text[])
ORDER BY customer_id, channel, external_index
"""
# Only who was not there gets a file; a twin that is being added at the same time is waited for.
_BUYERS: Final = """
WITH made AS (
    INSERT INTO identities (site, channel, external_index, external_sealed, customer_id)
    SELECT $1, $2, i, s, c FROM unnest($3::bytea[], $4::bytea[], $5::text[]) AS b (i, s, c) ORDER BY i
    ON CONFLICT DO NOTHING RETURNING customer_id
)
INSERT INTO customers (site, customer_id, state, root, created_at)
SELECT $1, customer_id, 'ACTIVE', customer_id, $6 FROM made
"""


class IdentityStore:
    """Identities, in one schema."""

    def __init__(self, vault: Vault, new_id: Callable[[], str]) -> None:
        self._vault = vault
        self._new_id = new_id

    async def add(self, tx: Transaction, site: str, customer_id: str, identity: Identity) -> bool:
        """Add an identity; False when somebody has it."""
        index, sealed = self._index(identity.channel, identity.external_id), self._seal(site, customer_id, identity)
        return bool(await tx.fetchval(_ADD, site, identity.channel, index, sealed, customer_id))

    async def find(self, tx: Transaction, site: str, channel: str, external_ids: Sequence[str]) -> dict[str, str]:
        """The customers who have these ids on a channel, by id; unknown ids are left out."""
        indexes = {self._index(channel, one): one for one in external_ids}
        rows = await tx.fetch(_FIND, site, channel, list(indexes))
        return {indexes[row["external_index"]]: row["customer_id"] for row in rows}

    async def find_or_add(
        self, tx: Transaction, site: str, channel: str, external_ids: Sequence[str]
    ) -> dict[str, str]:
        """As `find`; whoever is unknown gets a file of their own."""
        found = await self.find(tx, site, channel, external_ids)
        missing = [one for one in external_ids if one not in found]
        if missing:
            made = [(one, self._new_id()) for one in missing]
            await tx.execute(
                _BUYERS,
                site,
                channel,
                [self._index(channel, one) for one, _ in made],
                [self._seal(site, customer, Identity(channel, one)) for one, customer in made],
                [customer for _, customer in made],
                tx.now,
            )
            found |= await self.find(tx, site, channel, missing)
        return found

    async def of(self, tx: Transaction, site: str, customers: Sequence[str]) -> list[Identity]:
        """The identities of these files."""
        rows = await tx.fetch(_OF, site, list(customers))
        return [
            Identity(
                row["channel"],
                self._vault.open(
                    row["external_sealed"], purpose=_purpose(row["channel"]), record=_record(site, row["customer_id"])
                ),
                row["customer_id"],
            )
            for row in rows
        ]

    def _index(self, channel: str, external_id: str) -> bytes:
        return self._vault.index(external_id.strip(), purpose=_purpose(channel))

    def _seal(self, site: str, customer_id: str, identity: Identity) -> bytes:
        return self._vault.seal(
            identity.external_id, purpose=_purpose(identity.channel), record=_record(site, customer_id)
        )


def _purpose(channel: str) -> str:
    return f"crm.identities.{channel}"


def _record(site: str, customer_id: str) -> str:
    return f"sites/{site}/customers/{customer_id}"
