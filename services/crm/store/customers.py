"""SQL of customers' files. What tells who somebody is lies sealed, with a blind index where it is looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from services.crm.domain.customer import Customer, File, normal_phone
from services.crm.errors import not_found, taken
from services.kit.crypto import Vault
from services.kit.db import Transaction

# Personal field → its column, and how a value is made comparable; None for what is never looked up.
_SEALED: Final[dict[str, tuple[str, Callable[[str], str] | None]]] = {
    "display_name": ("name", str.strip),
    "phone": ("phone", normal_phone),
    "email": ("email", str.casefold),
    "address": ("address", None),
}
_COLUMNS: Final = (
    "site, customer_id, state, region, name_sealed, phone_sealed, email_sealed, address_sealed, birth_month, birth_day,"
    " preferred_channels, interests, do_not_contact, verified_at, verify_due_at, merged_into, root, revision"
)
_GET: Final = f"SELECT {_COLUMNS} FROM customers WHERE site = $1 AND customer_id = $2"
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM customers c
WHERE site = $1 AND customer_id > $2 AND (NOT $3 OR state = 'STALE')
    AND ($4 = '' OR $4 = coalesce((SELECT tier FROM standings s WHERE s.site = $1 AND s.customer_id = c.root), $5))
ORDER BY customer_id LIMIT $6
"""
_INSERT: Final = f"""
INSERT INTO customers ({_COLUMNS}, name_index, phone_index, email_index, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
ON CONFLICT DO NOTHING RETURNING true
"""
_UPDATE: Final = """
UPDATE customers SET state = $3, region = $4, name_sealed = $5, phone_sealed = $6, email_sealed = $7,
    address_sealed = $8, birth_month = $9, birth_day = $10, preferred_channels = $11, interests = $12,
    do_not_contact = $13, verified_at = $14, verify_due_at = $15, merged_into = $16, root = $17, revision = $18,
    name_index = $19, phone_index = $20, email_index = $21
WHERE site = $1 AND customer_id = $2
"""
_MEMBERS: Final = """
SELECT c.root, ARRAY(SELECT m.customer_id FROM customers m
                     WHERE m.site = $1 AND m.root = c.root AND m.merged_into IS NOT NULL) AS merged
FROM customers c WHERE c.site = $1 AND c.customer_id = $2
"""
_ROOTS: Final = "SELECT customer_id, root FROM customers WHERE site = $1 AND customer_id = ANY ($2::text[])"
_MERGED: Final = """
SELECT customer_id, root FROM customers WHERE site = $1 AND root = ANY ($2::text[]) AND merged_into IS NOT NULL
"""
_ALL_MERGED: Final = "SELECT customer_id, root FROM customers WHERE site = $1 AND merged_into IS NOT NULL"
_LOCK: Final = """
SELECT customer_id FROM customers
WHERE site = $1 AND customer_id IN (SELECT root FROM customers WHERE site = $1 AND customer_id = ANY ($2::text[]))
ORDER BY customer_id FOR NO KEY UPDATE
"""
_STALE: Final = """
UPDATE customers SET state = 'STALE', revision = revision + 1
WHERE (site, customer_id) IN (SELECT site, customer_id FROM customers WHERE state = 'ACTIVE' AND verify_due_at <= $1
                              ORDER BY verify_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


class CustomerStore:
    """Files of customers, in one schema."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def get(self, tx: Transaction, site: str, customer_id: str, *, lock: bool = False) -> Customer:
        """One customer; `lock` makes other writers of the same file wait. Raises NotFound."""
        row = await tx.fetchrow(_GET + (" FOR UPDATE" if lock else ""), site, customer_id)
        if row is None:
            raise not_found(f"sites/{site}/customers/{customer_id}")
        return self._customer(row)

    async def page(
        self, tx: Transaction, site: str, *, after: str, stale: bool, tier: str, default: str, limit: int
    ) -> list[Customer]:
        """Up to `limit` customers whose id follows `after`; whoever was never judged has the tier `default`."""
        rows = await tx.fetch(_PAGE, site, after, stale, tier, default, limit)
        return [self._customer(row) for row in rows]

    async def insert(self, tx: Transaction, customer: Customer) -> None:
        """Add a customer; raises AlreadyExists."""
        if not await tx.fetchval(_INSERT, *self._values(customer), tx.now):
            raise taken(customer.name)

    async def update(self, tx: Transaction, customer: Customer) -> None:
        """Write a locked customer back."""
        await tx.execute(_UPDATE, *self._values(customer))

    def _values(self, customer: Customer) -> tuple[object, ...]:
        file = customer.file
        sealed = {name: self._seal(name, getattr(file, name), customer.name) for name in _SEALED}
        return (
            customer.site,
            customer.id,
            customer.state,
            file.region,
            *sealed.values(),
            file.birth_month,
            file.birth_day,
            list(file.preferred_channels),
            list(file.interests),
            file.do_not_contact,
            customer.verified_at,
            customer.verify_due_at,
            customer.merged_into,
            customer.root,
            customer.revision,
            *(self._index(name, getattr(file, name)) for name in ("display_name", "phone", "email")),
        )

    def _seal(self, name: str, plain: str, record: str) -> bytes | None:
        return self._vault.seal(plain, purpose=f"crm.customers.{_SEALED[name][0]}", record=record) if plain else None

    def _index(self, name: str, plain: str) -> bytes | None:
        column, normal = _SEALED[name]
        return self._vault.index(normal(plain), purpose=f"crm.customers.{column}") if plain and normal else None

    def _customer(self, row: Any) -> Customer:
        record = f"sites/{row['site']}/customers/{row['customer_id']}"
        clear = {
            name: self._vault.open(row[f"{column}_sealed"], purpose=f"crm.customers.{column}", record=record)
            for name, (column, _) in _SEALED.items()
            if row[f"{column}_sealed"] is not None
        }
        return Customer(
            site=row["site"],
            id=row["customer_id"],
            file=File(
                **clear,
                birth_month=row["birth_month"],
                birth_day=row["birth_day"],
                preferred_channels=tuple(row["preferred_channels"]),
                interests=tuple(row["interests"]),
                do_not_contact=row["do_not_contact"],
                region=row["region"],
            ),
            state=row["state"],
            merged_into=row["merged_into"],
            root=row["root"],
            revision=row["revision"],
            verified_at=row["verified_at"],
            verify_due_at=row["verify_due_at"],
        )


async def members(tx: Transaction, site: str, customer_id: str) -> tuple[str, list[str]]:
    """Who counts for a customer, and every file that counts there, their own first. Raises NotFound."""
    row = await tx.fetchrow(_MEMBERS, site, customer_id)
    if row is None:
        raise not_found(f"sites/{site}/customers/{customer_id}")
    return row["root"], [row["root"], *row["merged"]]


async def roots(tx: Transaction, site: str, customers: Sequence[str]) -> dict[str, str]:
    """Who counts for each of the customers; those without a file are left out."""
    return {row["customer_id"]: row["root"] for row in await tx.fetch(_ROOTS, site, list(customers))}


async def of_roots(tx: Transaction, site: str, found: Sequence[str]) -> dict[str, str]:
    """Every file that counts for one of these, with whom it counts for."""
    merged = {row["customer_id"]: row["root"] for row in await tx.fetch(_MERGED, site, list(found))}
    return {root: root for root in found} | merged


async def merged(tx: Transaction, site: str) -> dict[str, str]:
    """Everybody at the site who was merged, with whom they count for."""
    return {row["customer_id"]: row["root"] for row in await tx.fetch(_ALL_MERGED, site)}


async def lock_roots(tx: Transaction, site: str, customers: Iterable[str]) -> list[str]:
    """Those for whom these customers count, by id. Others who judge or edit them wait, so that each sees what the one
    before has done."""
    return [row["customer_id"] for row in await tx.fetch(_LOCK, site, sorted(set(customers)))]


async def mark_stale(tx: Transaction, *, limit: int) -> int:
    """Mark files whose verification is due, of every site; returns how many."""
    return int((await tx.execute(_STALE, tx.now, limit)).split()[-1])
