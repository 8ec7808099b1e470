"""Samples of draws that nobody waited a week for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

_DRAW = """
INSERT INTO qa.draws
    (site, draw_id, kind, starts_at, ends_at, cutoff, made_at, frame_sha256, frame_count, record, causes)
VALUES ($1, 'test-' || $2, CASE $2 WHEN 'AD_HOC' THEN 'AD_HOC' ELSE 'RANDOM' END, 'epoch', 'epoch', 'epoch', 'epoch',
    '', 0, '{}', '{}')
ON CONFLICT DO NOTHING
"""
_SAMPLE = """
INSERT INTO qa.samples (site, draw_id, recording_id, kind, unit, person, channel, probability, frame_row)
SELECT $1, 'test-' || $2, recording_id, $2, 'team', person, channel, 1, 0 FROM qa.recordings
WHERE site = $1 AND recording_id = ANY ($3::uuid[])
ON CONFLICT DO NOTHING
"""


async def as_drawn(execute: Callable[..., Awaitable[Any]], site: str, kind: str, *recordings: str) -> None:
    """As if a draw of this kind had these recordings, of a frame that held nothing else."""
    await execute(_DRAW, site, kind)
    await execute(_SAMPLE, site, kind, [name.rpartition("/")[2] for name in recordings])


async def as_of_a_week(execute: Callable[..., Awaitable[Any]], site: str, *recordings: str) -> None:
    """As if what a spot check has drawn had been drawn at random from a week: those count in the estimate."""
    ids = [name.rpartition("/")[2] for name in recordings]
    moved = "UPDATE qa.samples SET kind = 'RANDOM' WHERE site = $1 AND recording_id = ANY ($2::uuid[])"
    await execute(moved, site, ids)
