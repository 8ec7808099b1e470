"""Instants as protobuf writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def stamp(at: datetime | None) -> Timestamp | None:
    """An instant as protobuf writes it; None for none."""
    if at is None:
        return None
    stamped = Timestamp()
    stamped.FromDatetime(at)
    return stamped


def instant(stamped: Timestamp) -> datetime:
    """Back, in UTC."""
    return stamped.ToDatetime(UTC)
