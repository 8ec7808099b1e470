"""Where a service keeps sealed values, so that a rotation finds them all.

Each service declares its columns in `sealed.py` as `SEALED`; a test compares them with its schema. The kit's own are in
`KIT`. Rotating the key-encryption key rewraps each value's data key and leaves its ciphertext as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.kit.crypto import CryptoError, Vault
from services.kit.db import Database
from services.kit.outbound import letters

BATCH = 500


@dataclass(frozen=True, slots=True)
class Sealed:
    """One column. `purpose` and `record` give what its values were sealed with, in SQL over the row."""

    table: str
    column: str
    purpose: str
    record: str

    @property
    def _old(self) -> str:
        """Rows that are sealed, by another key than $1: a sealed value is version, length of the key's id, the id."""
        column = self.column
        key_id = f"substring({column} FROM 3 FOR get_byte({column}, 1))"
        return f"{self.table} WHERE octet_length({column}) > 2 AND {key_id} <> convert_to($1, 'UTF8')"

    @property
    def select(self) -> str:
        """A batch of rows to rewrap."""
        context = f"{self.purpose} AS purpose, {self.record} AS record"
        return f"SELECT ctid, {self.column} AS sealed, {context} FROM {self._old} LIMIT {BATCH}"  # noqa: S608

    @property
    def update(self) -> str:
        """Write a batch, except where the value has changed since it was read: that one comes again."""
        return (
            f"UPDATE {self.table} t SET {self.column} = n.new"  # noqa: S608
            " FROM unnest($1::tid[], $2::bytea[], $3::bytea[]) AS n (at, old, new)"
            f" WHERE t.ctid = n.at AND t.{self.column} = n.old"
        )


KIT = (Sealed("kefu_letters", "sealed", f"'{letters.PURPOSE}'", "id"),)


async def rewrap(database: Database, vault: Vault, columns: Sequence[Sealed]) -> int:
    """Bring every value of these columns under the vault's current key, in small transactions; returns how many.

    Harmless to repeat, to interrupt, and beside running services that know both keys. Raises CryptoError, naming the
    column, for a value whose key is not in the key file.
    """
    return sum([await _rewrap(database, vault, column) for column in (*KIT, *columns)])


async def _rewrap(database: Database, vault: Vault, column: Sealed) -> int:
    done = 0
    while rows := await database.fetch(column.select, vault.current):
        old = [row["sealed"] for row in rows]
        try:
            new = [vault.rewrap(row["sealed"], purpose=row["purpose"], record=row["record"]) for row in rows]
        except CryptoError as error:
            raise CryptoError(
                f"{column.table}.{column.column}: {error}; keep the key that it was sealed with"
            ) from error
        await database.execute(column.update, [row["ctid"] for row in rows], old, new)
        done += len(rows)
    return done
