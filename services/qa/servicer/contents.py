"""The RPC edge of contents: uploads, playbacks, holds and proofs. RecordingServicer is made of it and its own part."""

from __future__ import annotations

from typing import Final

from kefu.qa.v1 import recording_pb2 as pb
from kefu.qa.v1 import recording_service_pb2 as api

from services.kit.call import current
from services.kit.db import Transaction
from services.kit.errors import PermissionDenied
from services.policy.desk import Desk
from services.qa import convert
from services.qa.commands.contents import Contents
from services.qa.commands.playbacks import Playbacks, opened
from services.qa.commands.retention import Retention
from services.qa.domain.content import PART_BYTES
from services.qa.servicer.names import Context, playback_ids, recording_ids
from services.qa.store import deletions

UNMASK: Final = "recordings.unmask"


class ContentServicer:
    """What RecordingService does with contents."""

    def __init__(self, desk: Desk, contents: Contents, playbacks: Playbacks, retention: Retention) -> None:
        self._desk = desk
        self._contents = contents
        self._playbacks = playbacks
        self._retention = retention

    async def StartUpload(self, request: api.StartUploadRequest, context: Context) -> api.Upload:
        """Announce a content."""
        site, id_ = recording_ids(request.name)

        async def run(tx: Transaction, actor: str) -> api.Upload:
            content = (request.media_type, request.size_bytes, request.sha256)
            return convert.upload_to(await self._contents.start(tx, site, id_, *content, actor=actor))

        return await self._desk.write(site, run, api.Upload)

    async def UploadPart(self, request: api.UploadPartRequest, context: Context) -> api.Upload:
        """Take a part."""
        site, id_ = recording_ids(request.name)
        self._desk.profile(site)
        return convert.upload_to(await self._contents.put(site, id_, request.number, request.content, request.sha256))

    async def CompleteUpload(self, request: api.CompleteUploadRequest, context: Context) -> pb.Recording:
        """End an upload."""
        site, id_ = recording_ids(request.name)
        self._desk.profile(site)
        checked = await self._contents.check(site, id_)

        async def run(tx: Transaction, actor: str) -> pb.Recording:
            return convert.recording_to(await self._contents.complete(tx, site, id_, checked, actor=actor))

        return await self._desk.write(site, run, pb.Recording)

    async def StartPlayback(self, request: api.StartPlaybackRequest, context: Context) -> api.Playback:
        """Open a recording for the caller."""
        site, id_ = recording_ids(request.parent, "parent")
        if request.unmasked and not current().principal.may(UNMASK, site):
            raise PermissionDenied

        async def run(tx: Transaction, actor: str) -> api.Playback:
            made, playback = await self._playbacks.start(
                tx, site, id_, unmasked=request.unmasked, reason=request.reason, actor=actor
            )
            return convert.playback_to(site, id_, made, playback)

        return await self._desk.write(site, run, api.Playback)

    async def ReadContent(self, request: api.ReadContentRequest, context: Context) -> api.ReadContentResponse:
        """A piece of sound or picture."""
        site, id_, playback = playback_ids(request.name)
        async with self._desk.read(site) as tx:
            await opened(tx, site, id_, playback, current().principal.subject)
        content, piece = await self._contents.read(site, id_, request.offset, request.length or PART_BYTES)
        return api.ReadContentResponse(piece=piece, size_bytes=content.size_bytes, media_type=content.media_type)

    async def GetTranscript(self, request: api.GetTranscriptRequest, context: Context) -> api.Transcript:
        """The messages of a conversation."""
        site, id_, playback = playback_ids(request.name)
        async with self._desk.read(site) as tx:
            recording, held = await opened(tx, site, id_, playback, current().principal.subject)
        return await self._playbacks.transcript(recording, held)

    async def HoldRecording(self, request: api.HoldRecordingRequest, context: Context) -> pb.Recording:
        """Keep a content whatever its age."""
        site, id_ = recording_ids(request.name)

        async def run(tx: Transaction, actor: str) -> pb.Recording:
            return convert.recording_to(await self._retention.hold(tx, site, id_, request.reason, actor=actor))

        return await self._desk.write(site, run, pb.Recording)

    async def ReleaseRecording(self, request: api.ReleaseRecordingRequest, context: Context) -> pb.Recording:
        """Lift a hold."""
        site, id_ = recording_ids(request.name)

        async def run(tx: Transaction, actor: str) -> pb.Recording:
            return convert.recording_to(await self._retention.release(tx, site, id_, actor=actor))

        return await self._desk.write(site, run, pb.Recording)

    async def GetDeletionProof(self, request: api.GetDeletionProofRequest, context: Context) -> api.DeletionProof:
        """Proof that a content is gone."""
        site, id_ = recording_ids(request.name)
        async with self._desk.read(site) as tx:
            return convert.proof_to(request.name, await deletions.proof(tx, site, id_))
