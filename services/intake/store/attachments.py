"""Files of conversations, by row."""

from __future__ import annotations

from typing import Final

from services.intake.domain.attachment import Attachment
from services.kit.db import Transaction

_COLUMNS: Final = "site, conversation, id, file_name, media_type, size_bytes, sha256, created_at"
# The conversation's row is not locked: a message must not wait for a file.
_COUNT: Final = "SELECT count(*) FROM attachments WHERE site = $1 AND conversation = $2"
_INSERT: Final = f"INSERT INTO attachments ({_COLUMNS}, content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_GET: Final = f"SELECT {_COLUMNS} FROM attachments WHERE site = $1 AND conversation = $2 AND id = $3"
_CONTENT: Final = """
SELECT content FROM attachments WHERE site = $1 AND conversation = $2 AND id = $3 AND erased_at IS NULL
"""
_ERASE: Final = """
UPDATE attachments SET file_name = '', content = '', sha256 = '', erased_at = $3
WHERE site = $1 AND conversation = ANY ($2::text[]) AND erased_at IS NULL
"""


async def count(tx: Transaction, site: str, conversation: str) -> int:
    """Return how many files a conversation has."""
    return int(await tx.fetchval(_COUNT, site, conversation))


async def insert(tx: Transaction, of: Attachment, content: bytes) -> None:
    """Store a file."""
    await tx.execute(
        _INSERT,
        of.site,
        of.conversation,
        of.id,
        of.file_name,
        of.media_type,
        of.size_bytes,
        of.sha256,
        of.created_at,
        content,
    )


async def get(tx: Transaction, site: str, conversation: str, id_: str) -> Attachment | None:
    """Return a file without its content."""
    row = await tx.fetchrow(_GET, site, conversation, id_)
    return None if row is None else Attachment(*row)


async def content_of(tx: Transaction, of: Attachment) -> bytes | None:
    """Return a file's content, None once it was erased."""
    return await tx.fetchval(_CONTENT, of.site, of.conversation, of.id)  # type: ignore[no-any-return]


async def erase(tx: Transaction, site: str, conversations: list[str]) -> int:
    """Overwrite names and contents of conversations' files, keeping size and time as proof; returns how many."""
    return int((await tx.execute(_ERASE, site, conversations, tx.now)).split()[-1])
