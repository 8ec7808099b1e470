"""Opening a recording for somebody, noted in the audit log; and the words of a conversation, which intake keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from kefu.intake.v1 import conversation_pb2 as intake
from kefu.intake.v1 import conversation_service_pb2 as intake_api
from kefu.qa.v1 import recording_service_pb2 as api

from services.kit.audit import Entry
from services.kit.db import Reading, Transaction
from services.kit.errors import InvalidArgument, NotFound, PermissionDenied
from services.qa.domain.masking import masked
from services.qa.domain.recording import EXPIRED, TRANSCRIPT, Recording
from services.qa.errors import not_found, refused
from services.qa.store import contents as store
from services.qa.store import recordings
from services.qa.store.contents import Playback

LASTS: Final = timedelta(minutes=15)
PAGE: Final = 500


class Playbacks:
    """Commands on playbacks. `words` is a stub of intake whose calls carry the token of the call being served."""

    def __init__(self, new_id: Callable[[], str], words: Any) -> None:
        self._new_id = new_id
        self._words = words

    async def start(
        self, tx: Transaction, site: str, id_: str, *, unmasked: bool, reason: str, actor: str
    ) -> tuple[str, Playback]:
        """Open a recording for the caller. Raises FailedPrecondition where there is nothing to play."""
        recording = await recordings.get(tx, site, id_)
        if recording.state == EXPIRED:
            raise refused(recording.name, "its content was deleted")
        if recording.kind != TRANSCRIPT and not recording.sha256:
            raise refused(recording.name, "its content has not come yet")
        if unmasked and not reason:
            raise InvalidArgument.field("reason", "is required to see personal data", "reason.required")
        playback_id, playback = self._new_id(), Playback(actor, unmasked, tx.now + LASTS)
        await store.play(tx, site, id_, playback_id, playback)
        tx.audit(Entry(site, actor, "recording.play", recording.name, "unmasked" if unmasked else "masked"))
        return playback_id, playback

    async def transcript(self, recording: Recording, playback: Playback) -> api.Transcript:
        """The messages as intake has them now: what was forgotten there is gone here. Raises FailedPrecondition."""
        if recording.kind != TRANSCRIPT:
            raise refused(recording.name, "it has no transcript")
        try:
            messages = await self._messages(recording.subject)
        except NotFound as error:
            raise refused(recording.name, "the conversation is not there any more") from error
        hide: Callable[[str], str] = (lambda text: text) if playback.unmasked else masked
        lines = [
            api.Transcript.Line(
                author_kind=intake.Message.AuthorKind.Name(one.author_kind).removeprefix("AUTHOR_KIND_"),
                author=one.author,
                text=hide(one.text),
                time=one.create_time,
                internal=one.kind == intake.Message.KIND_NOTE,
            )
            for one in messages
        ]
        return api.Transcript(lines=lines, masked=not playback.unmasked)

    async def _messages(self, conversation: str) -> Sequence[intake.Message]:
        found: list[intake.Message] = []
        token = ""
        while True:
            request = intake_api.ListMessagesRequest(parent=conversation, page_size=PAGE, page_token=token)
            page = await self._words.ListMessages(request)
            found += page.messages
            token = page.next_page_token
            if not token:
                return found


async def opened(tx: Reading, site: str, id_: str, playback_id: str, person: str) -> tuple[Recording, Playback]:
    """An open playback of the caller's. Raises NotFound once its time is over, PermissionDenied for another's,
    FailedPrecondition when the content has gone meanwhile.
    """
    playback = await store.playback(tx, site, id_, playback_id)
    if playback is None:
        raise not_found(f"sites/{site}/recordings/{id_}/playbacks/{playback_id}")
    if playback.person != person:
        raise PermissionDenied
    recording = await recordings.get(tx, site, id_)
    if recording.state == EXPIRED:
        raise refused(recording.name, "its content was deleted")
    return recording, playback
