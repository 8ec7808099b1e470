"""Draws as their contract says them."""

from __future__ import annotations

from typing import Any

from kefu.qa.v1 import draw_service_pb2 as pb

from services.kit.instants import stamp
from services.qa.store.draws import Commitment


def commitment_to(one: Commitment) -> pb.Commitment:
    """A commitment, without its secret."""
    return pb.Commitment(
        key=one.key,
        commitment=one.commitment,
        create_time=stamp(one.committed_at),
        period_start=stamp(one.starts_at),
        draw=f"sites/{one.site}/draws/{one.draw_id}" if one.draw_id else "",
    )


def duty_to(wanted: Any, made: int) -> pb.SpotCheckDuty:
    """Spot checks that the profile asks for in a month (None: none), and those that were made."""
    return pb.SpotCheckDuty(wanted=wanted or 0, made=made)


def draw_to(site: str, row: dict[str, Any]) -> pb.Draw:
    """A draw."""
    record, causes = row["record"], row["causes"]
    return pb.Draw(
        name=f"sites/{site}/draws/{row['draw_id']}",
        kind=pb.Draw.Kind.Value(f"KIND_{row['kind']}"),
        start_time=stamp(row["starts_at"]),
        end_time=stamp(row["ends_at"]),
        create_time=stamp(row["made_at"]),
        frame_sha256=row["frame_sha256"],
        frame_count=row["frame_count"],
        per_unit=record["per_unit"],
        scope=record["rule"],
        units=[pb.Draw.Unit(**unit, cause=causes.get(unit["unit"], "")) for unit in record["units"]],
        commitment=record["commitment"],
        replaced=row["replaced"],
        extras=row["extras"],
        profile_version=record["profile_version"],
    )


def sample_to(site: str, draw: str, row: Any) -> pb.Sample:
    """A recording drawn."""
    return pb.Sample(
        name=f"sites/{site}/draws/{draw}/samples/{row['recording_id']}",
        recording=f"sites/{site}/recordings/{row['recording_id']}",
        kind=row["kind"],
        unit=row["unit"],
        person=row["person"],
        channel=row["channel"],
        probability=row["probability"],
        replace_reason=row["replace_reason"],
        replaces=f"sites/{site}/recordings/{row['replaces']}" if row["replaces"] else "",
    )
