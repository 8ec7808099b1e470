"""qa's values as its contracts say them, and back."""

from __future__ import annotations

from typing import Any

from kefu.qa.v1 import recording_pb2 as pb
from kefu.qa.v1 import recording_service_pb2 as api

from services.kit.instants import stamp
from services.qa.commands.contents import Arrived
from services.qa.domain.content import PART_BYTES
from services.qa.domain.recording import Recording
from services.qa.errors import not_found
from services.qa.store.contents import Playback


def recording_to(recording: Recording) -> pb.Recording:
    """A recording."""
    return pb.Recording(
        name=recording.name,
        kind=pb.Recording.Kind.Value(f"KIND_{recording.kind}"),
        state=pb.Recording.State.Value(f"STATE_{recording.state}"),
        subject=recording.subject,
        person=recording.person,
        channel=recording.channel,
        queue=recording.queue,
        start_time=stamp(recording.started_at),
        end_time=stamp(recording.ended_at),
        create_time=stamp(recording.registered_at),
        media_type=recording.media_type,
        size_bytes=recording.size_bytes,
        sha256=recording.sha256,
        expire_time=stamp(recording.expires_at),
        held=recording.held,
        missing=recording.missing,
    )


def kind_of(kind: pb.Recording.Kind.ValueType) -> str:
    """A kind; empty for any."""
    return pb.Recording.Kind.Name(kind).removeprefix("KIND_") if kind else ""


def state_of(state: pb.Recording.State.ValueType) -> str:
    """A state; empty for any."""
    return pb.Recording.State.Name(state).removeprefix("STATE_") if state else ""


def upload_to(arrived: Arrived) -> api.Upload:
    """An upload on its way."""
    return api.Upload(
        recording=arrived.recording.name,
        part_bytes=PART_BYTES,
        parts=arrived.content.parts,
        received=sorted(arrived.parts),
    )


def playback_to(site: str, recording: str, id_: str, playback: Playback) -> api.Playback:
    """A recording opened for somebody."""
    return api.Playback(
        name=f"sites/{site}/recordings/{recording}/playbacks/{id_}",
        expire_time=stamp(playback.expires_at),
        unmasked=playback.unmasked,
    )


def proof_to(name: str, row: Any) -> api.DeletionProof:
    """A proof of deletion. Raises NotFound for none."""
    if row is None:
        raise not_found(f"{name}/deletionProof")
    return api.DeletionProof(
        cause=row["cause"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        destroy_time=stamp(row["destroyed_at"]),
        delete_time=stamp(row["deleted_at"]),
        parts=row["parts"],
    )
