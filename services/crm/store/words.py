"""SQL of what people said and wrote in care of a customer: sealed, in one place, told and forgotten together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.kit.crypto import Vault
from services.kit.db import Transaction

PURPOSE: Final = "crm.care_words"
_PUT: Final = """
INSERT INTO care_words (site, object, kind, customer, sealed, at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (site, object, kind) DO UPDATE SET sealed = excluded.sealed, at = excluded.at
"""
_OF: Final = "SELECT object, kind, sealed FROM care_words WHERE site = $1 AND object = ANY ($2::text[])"
_ABOUT: Final = """
SELECT object, kind, at, sealed FROM care_words WHERE site = $1 AND customer = ANY ($2::text[])
ORDER BY at, object, kind
"""


class WordStore:
    """Words by the name of what they are about and their kind, for example NOTE."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def put(self, tx: Transaction, site: str, customer: str, about: str, kind: str, text: str) -> None:
        """Keep a text; a later one of the same kind replaces it. An empty one is not kept."""
        if text.strip():
            sealed = self._vault.seal(text.strip(), purpose=PURPOSE, record=f"{about}/{kind}")
            await tx.execute(_PUT, site, about, kind, customer, sealed, tx.now)

    async def of(self, tx: Transaction, site: str, about: Sequence[str]) -> dict[tuple[str, str], str]:
        """Texts by name and kind; what was forgotten is left out."""
        return {(row["object"], row["kind"]): self._open(row) for row in await tx.fetch(_OF, site, list(about))}

    async def about(self, tx: Transaction, site: str, customers: Sequence[str]) -> list[dict[str, Any]]:
        """Everything that was written about these files, oldest first."""
        return [
            {"about": row["object"], "kind": row["kind"], "at": row["at"], "text": self._open(row)}
            for row in await tx.fetch(_ABOUT, site, list(customers))
        ]

    def _open(self, row: Any) -> str:
        return self._vault.open(row["sealed"], purpose=PURPOSE, record=f"{row['object']}/{row['kind']}")
