"""The RPC edge of recordings."""

from __future__ import annotations

from kefu.qa.v1 import recording_pb2 as pb
from kefu.qa.v1 import recording_service_pb2 as api
from kefu.qa.v1 import recording_service_pb2_grpc as api_grpc

from services.kit import pages
from services.kit.db import Transaction
from services.kit.instants import instant
from services.policy.desk import Desk
from services.qa import convert
from services.qa.commands.contents import Contents
from services.qa.commands.playbacks import Playbacks
from services.qa.commands.recordings import Recordings
from services.qa.commands.retention import Retention
from services.qa.servicer.contents import ContentServicer
from services.qa.servicer.names import SITE, Context, before_of, recording_ids, size_of
from services.qa.store import recordings as store


class RecordingServicer(ContentServicer, api_grpc.RecordingServiceServicer):
    """kefu.qa.v1.RecordingService."""

    def __init__(
        self, desk: Desk, recordings: Recordings, contents: Contents, playbacks: Playbacks, retention: Retention
    ) -> None:
        super().__init__(desk, contents, playbacks, retention)
        self._recordings = recordings

    async def RegisterRecording(self, request: api.RegisterRecordingRequest, context: Context) -> pb.Recording:
        """Register what was recorded outside of intake."""
        (site,) = SITE.parse(request.parent, "parent")

        async def run(tx: Transaction, actor: str) -> pb.Recording:
            recording = await self._recordings.register(
                tx,
                site,
                kind=convert.kind_of(request.kind),
                subject=request.subject,
                person=request.person,
                channel=request.channel,
                started_at=instant(request.start_time),
                ended_at=instant(request.end_time),
                actor=actor,
            )
            return convert.recording_to(recording)

        return await self._desk.write(site, run, pb.Recording)

    async def GetRecording(self, request: api.GetRecordingRequest, context: Context) -> pb.Recording:
        """One recording."""
        site, id_ = recording_ids(request.name)
        async with self._desk.read(site) as tx:
            return convert.recording_to(await store.get(tx, site, id_))

    async def ListRecordings(self, request: api.ListRecordingsRequest, context: Context) -> api.ListRecordingsResponse:
        """The site's recordings, latest end first."""
        (site,) = SITE.parse(request.parent, "parent")
        size = size_of(request)
        only = {
            "person": request.person,
            "kind": convert.kind_of(request.kind),
            "state": convert.state_of(request.state),
        }
        async with self._desk.read(site) as tx:
            found = await store.page(tx, site, before=before_of(request), limit=size + 1, **only)
        last = found[size - 1] if len(found) > size else None
        token = pages.encode(request, [last.ended_at, last.id]) if last else ""
        return api.ListRecordingsResponse(
            recordings=[convert.recording_to(one) for one in found[:size]], next_page_token=token
        )
