"""The calls of the quality pages to qa, typed; every one on behalf of the person of the current web request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from kefu.qa.v1 import draw_service_pb2 as draw_api
from kefu.qa.v1 import recording_pb2
from kefu.qa.v1 import recording_service_pb2 as recording_api

from services.gateway.console.backend import new_id
from services.gateway.console.gate import Gate

Reply = TypeVar("Reply", bound=Message)
RECENT: Final = 50
_PIECE: Final = 1 << 20


class Qa:
    """Calls for one site. Recordings and draws are named by the id alone."""

    def __init__(self, gate: Gate, site: str) -> None:
        self._gate = gate
        self.parent = f"sites/{site}"

    def _call(self, method: str, request: Message, reply: type[Reply]) -> Reply:
        return self._gate.call(f"kefu.qa.v1.{method}", request, reply)

    def recordings(self, **filters: Any) -> recording_api.ListRecordingsResponse:
        """A page of recordings; filters as in the contract."""
        request = recording_api.ListRecordingsRequest(parent=self.parent, page_size=RECENT, **filters)
        return self._call("RecordingService/ListRecordings", request, recording_api.ListRecordingsResponse)

    def recording(self, recording: str) -> recording_pb2.Recording:
        """One recording."""
        request = recording_api.GetRecordingRequest(name=f"{self.parent}/recordings/{recording}")
        return self._call("RecordingService/GetRecording", request, recording_pb2.Recording)

    def play(self, recording: str, *, unmasked: bool, reason: str) -> recording_api.Playback:
        """Opens a recording."""
        request = recording_api.StartPlaybackRequest(
            parent=f"{self.parent}/recordings/{recording}", unmasked=unmasked, reason=reason, request_id=new_id()
        )
        return self._call("RecordingService/StartPlayback", request, recording_api.Playback)

    def transcript(self, recording: str, playback: str) -> recording_api.Transcript:
        """The messages of an opened transcript."""
        name = f"{self.parent}/recordings/{recording}/playbacks/{playback}"
        request = recording_api.GetTranscriptRequest(name=name)
        return self._call("RecordingService/GetTranscript", request, recording_api.Transcript)

    def piece(self, recording: str, playback: str, offset: int, length: int) -> recording_api.ReadContentResponse:
        """A piece of an opened content, at most 1 MiB."""
        name = f"{self.parent}/recordings/{recording}/playbacks/{playback}"
        request = recording_api.ReadContentRequest(name=name, offset=offset, length=min(length, _PIECE))
        return self._call("RecordingService/ReadContent", request, recording_api.ReadContentResponse)

    def draws(self, token: str) -> draw_api.ListDrawsResponse:
        """Draws, latest first."""
        request = draw_api.ListDrawsRequest(parent=self.parent, page_size=RECENT, page_token=token)
        return self._call("DrawService/ListDraws", request, draw_api.ListDrawsResponse)

    def commitments(self) -> draw_api.ListCommitmentsResponse:
        """Commitments, latest first."""
        request = draw_api.ListCommitmentsRequest(parent=self.parent, page_size=RECENT)
        return self._call("DrawService/ListCommitments", request, draw_api.ListCommitmentsResponse)

    def draw(self, draw: str) -> draw_api.Draw:
        """One draw."""
        request = draw_api.GetDrawRequest(name=f"{self.parent}/draws/{draw}")
        return self._call("DrawService/GetDraw", request, draw_api.Draw)

    def samples(self, draw: str, token: str) -> draw_api.ListSamplesResponse:
        """What was drawn."""
        request = draw_api.ListSamplesRequest(parent=f"{self.parent}/draws/{draw}", page_size=RECENT, page_token=token)
        return self._call("DrawService/ListSamples", request, draw_api.ListSamplesResponse)

    def record(self, draw: str) -> draw_api.DrawRecord:
        """The published record."""
        request = draw_api.GetDrawRecordRequest(name=f"{self.parent}/draws/{draw}")
        return self._call("DrawService/GetDrawRecord", request, draw_api.DrawRecord)

    def frame(self, draw: str) -> Iterator[bytes]:
        """The frame, piece by piece; the first call is made when it begins."""
        offset = 0
        while True:
            request = draw_api.ReadFrameRequest(name=f"{self.parent}/draws/{draw}", offset=offset)
            found = self._call("DrawService/ReadFrame", request, draw_api.ReadFrameResponse)
            yield found.piece
            offset += len(found.piece)
            if not found.piece or offset >= found.size_bytes:
                return

    def verifier(self) -> draw_api.Verifier:
        """The program that runs a draw again."""
        request = draw_api.GetVerifierRequest(parent=self.parent)
        return self._call("DrawService/GetVerifier", request, draw_api.Verifier)

    def spot_check(self, *, number: int, days: int, person: str, reason: str) -> draw_api.Draw:
        """Draws at once."""
        request = draw_api.CreateSpotCheckRequest(
            parent=self.parent, number=number, days=days, person=person, reason=reason, request_id=new_id()
        )
        return self._call("DrawService/CreateSpotCheck", request, draw_api.Draw)

    def replace(self, draw: str, recording: str, reason: str) -> None:
        """Replaces a sample."""
        name = f"{self.parent}/draws/{draw}/samples/{recording}"
        request = draw_api.ReplaceSampleRequest(name=name, reason=reason, request_id=new_id())
        self._call("DrawService/ReplaceSample", request, draw_api.Sample)
