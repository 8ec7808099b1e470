"""Files over the wire."""

from __future__ import annotations

from typing import Any

from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api

from services.intake.commands import attachments
from services.intake.domain.attachment import Attachment
from services.intake.events import timestamp
from services.intake.queries import conversations
from services.intake.queries.scope import Scope
from services.intake.servicer.names import ATTACHMENT, CONVERSATION
from services.kit.call import current
from services.kit.db import Database, Transaction
from services.kit.uow import UnitOfWork

Context = Any


class AttachmentRpcs:
    """The part of kefu.intake.v1.ConversationService that stores and reads files."""

    def __init__(self, database: Database, uow: UnitOfWork) -> None:
        self._database = database
        self._uow = uow

    async def CreateAttachment(self, request: api.CreateAttachmentRequest, context: Context) -> pb.Attachment:
        """Store a file for a conversation; the stored reply is kept without the file's name."""
        site, conversation = CONVERSATION.parse(request.parent, "parent")
        call = current()

        async def run(tx: Transaction) -> Attachment:
            await conversations.get(tx, Scope.of(call.principal), site, conversation)
            return await attachments.create(
                tx,
                id_=self._database.new_id(),
                site=site,
                conversation=conversation,
                file_name=request.attachment.file_name,
                media_type=request.attachment.media_type,
                content=request.content,
            )

        kept = await self._uow.run(call, run, lambda made: _shown(made, "").SerializeToString(), sites=[site])
        reply = pb.Attachment.FromString(kept)
        reply.file_name = request.attachment.file_name
        return reply

    async def GetAttachment(self, request: api.GetAttachmentRequest, context: Context) -> api.AttachmentContent:
        """A file with its content."""
        site, conversation, id_ = ATTACHMENT.parse(request.name)
        async with self._database.transaction(sites=[site], read_only=True) as tx:
            await conversations.get(tx, Scope.of(current().principal), site, conversation)
            found, content = await attachments.read(tx, site, conversation, id_)
        return api.AttachmentContent(attachment=_shown(found, found.file_name), content=content)


def _shown(of: Attachment, file_name: str) -> pb.Attachment:
    return pb.Attachment(
        name=f"sites/{of.site}/conversations/{of.conversation}/attachments/{of.id}",
        file_name=file_name,
        media_type=of.media_type,
        size_bytes=of.size_bytes,
        sha256=of.sha256,
        create_time=timestamp(of.created_at),
    )
