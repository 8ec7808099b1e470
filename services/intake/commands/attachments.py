"""Files: stored for a conversation, and read again. Words (the file's name) live in the file's row alone."""

from __future__ import annotations

from services.intake import errors
from services.intake.domain import attachment as files
from services.intake.domain.attachment import Attachment
from services.intake.domain.refusal import InvalidField, LimitReached
from services.intake.store import attachments as store
from services.kit.db import Transaction
from services.kit.errors import NotFound


async def create(
    tx: Transaction, *, id_: str, site: str, conversation: str, file_name: str, media_type: str, content: bytes
) -> Attachment:
    """Store a file of 1 byte to 2 MiB.

    Raises InvalidArgument when the content is no `media_type`, FailedPrecondition LIMIT_REACHED for too many files.
    """
    if not 1 <= len(content) <= files.MOST_BYTES:
        raise errors.of_refusal(InvalidField("content", f"must have 1 to {files.MOST_BYTES} bytes"))
    if not files.is_what_it_claims(media_type, content):
        raise errors.of_refusal(InvalidField("content", f"is not {media_type}: send the file's true media type"))
    if await store.count(tx, site, conversation) >= files.MOST_PER_CONVERSATION:
        raise errors.of_refusal(LimitReached(str(files.MOST_PER_CONVERSATION)))
    made = Attachment(
        site, conversation, id_, file_name, media_type, len(content), files.digest(content), created_at=tx.now
    )
    await store.insert(tx, made, content)
    return made


async def read(tx: Transaction, site: str, conversation: str, id_: str) -> tuple[Attachment, bytes]:
    """Return a file with its content. Raises NotFound, also when it was erased."""
    found = await store.get(tx, site, conversation, id_)
    content = None if found is None else await store.content_of(tx, found)
    if found is None or content is None:
        raise NotFound
    return found, content
