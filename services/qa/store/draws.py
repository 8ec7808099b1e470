"""SQL of commitments, draws and samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from services.kit.db import Reading, Transaction
from services.qa.domain.draw import Pick
from services.qa.domain.frame import Frame
from services.qa.errors import not_found

# Sorts after every draw and commitment.
LAST: Final = (datetime.max.replace(tzinfo=UTC), "")

_COMMIT: Final = """
INSERT INTO commitments (site, key, commitment, secret_sealed, committed_at, starts_at, ends_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (site, key) DO NOTHING RETURNING true
"""
_COMMITMENT_COLUMNS: Final = "site, key, commitment, secret_sealed, committed_at, starts_at, ends_at, draw_id"
# Weeks that are over, in the order in which their frames follow one another.
_DUE: Final = f"""
SELECT {_COMMITMENT_COLUMNS} FROM commitments
WHERE site = $1 AND draw_id = '' AND ends_at <= $2 ORDER BY ends_at LIMIT 1
"""
_SPOT: Final = f"""
SELECT {_COMMITMENT_COLUMNS} FROM commitments
WHERE site = $1 AND starts_at IS NULL AND draw_id = '' ORDER BY committed_at LIMIT 1
"""
_COMMITMENTS: Final = f"""
SELECT {_COMMITMENT_COLUMNS} FROM commitments WHERE site = $1 AND (committed_at, key) < ($2, $3)
ORDER BY committed_at DESC, key DESC LIMIT $4
"""
_SPOTS: Final = "SELECT count(*) FROM commitments WHERE site = $1 AND starts_at IS NULL"
_REVEAL: Final = "UPDATE commitments SET draw_id = $3 WHERE site = $1 AND key = $2 AND draw_id = '' RETURNING true"
_INSERT: Final = """
INSERT INTO draws (site, draw_id, kind, starts_at, ends_at, cutoff, made_at, frame_sha256, frame_count, record, causes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11::jsonb)
"""
_SAMPLES: Final = """
INSERT INTO samples (site, draw_id, recording_id, kind, unit, person, channel, probability, frame_row)
SELECT $1, $2, s.*
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::float8[], $9::bigint[]) AS s
"""
_SAMPLED: Final = """
UPDATE recordings SET state = 'SAMPLED'
WHERE site = $1 AND recording_id = ANY ($2::uuid[]) AND state IN ('REGISTERED', 'AVAILABLE')
"""
_LAST_WEEK: Final = """
SELECT ends_at, cutoff FROM draws WHERE site = $1 AND kind = 'RANDOM' AND ends_at < $2 ORDER BY ends_at DESC LIMIT 1
"""
# Of a record what a draw tells of itself; the thousands of recordings that it may name stay where they are.
_DRAW_COLUMNS: Final = """draw_id, kind, starts_at, ends_at, made_at, frame_sha256, frame_count, causes,
    record - 'selected' - 'replacements' AS record,
    (SELECT count(*) FROM samples s
     WHERE s.site = d.site AND s.draw_id = d.draw_id AND s.kind = 'RISK') AS extras,
    (SELECT count(*) FROM samples s
     WHERE s.site = d.site AND s.draw_id = d.draw_id AND replace_reason <> '') AS replaced"""
_RECORD: Final = "SELECT record FROM draws WHERE site = $1 AND draw_id = $2"
_FRAME: Final = "SELECT frame_sha256 FROM draws WHERE site = $1 AND draw_id = $2"
_SEED: Final = """
SELECT frame_sha256, record ->> 'seed' AS seed FROM draws WHERE site = $1 AND draw_id = $2 FOR UPDATE
"""
_DRAWN: Final = """
SELECT recording_id::text AS id FROM samples
WHERE site = $1 AND recording_id = ANY ($2::uuid[]) AND kind = $3 AND replace_reason = ''
"""
_GET: Final = f"SELECT {_DRAW_COLUMNS} FROM draws d WHERE site = $1 AND draw_id = $2"
_PAGE: Final = f"""
SELECT {_DRAW_COLUMNS} FROM draws d WHERE site = $1 AND (made_at, draw_id) < ($2, $3)
ORDER BY made_at DESC, draw_id DESC LIMIT $4
"""
_SPOT_CHECKS: Final = "SELECT count(*) FROM draws WHERE site = $1 AND kind = 'AD_HOC' AND made_at >= $2"
_SAMPLE_COLUMNS: Final = """recording_id::text AS recording_id, kind, unit, person, channel, probability, frame_row,
    replace_reason, replaced_number, replaces::text AS replaces"""
_SAMPLE: Final = f"SELECT {_SAMPLE_COLUMNS} FROM samples WHERE site = $1 AND draw_id = $2 AND recording_id = $3"
_SAMPLES_PAGE: Final = f"""
SELECT {_SAMPLE_COLUMNS} FROM samples WHERE site = $1 AND draw_id = $2 AND recording_id > $3::uuid
ORDER BY recording_id LIMIT $4
"""
_OF_UNIT: Final = f"SELECT {_SAMPLE_COLUMNS} FROM samples WHERE site = $1 AND draw_id = $2 AND unit = $3"
_REPLACED: Final = """
SELECT g.recording_id::text AS recording, g.unit, g.replace_reason AS reason, n.recording_id::text AS replacement
FROM samples g LEFT JOIN samples n ON n.site = g.site AND n.draw_id = g.draw_id AND n.replaces = g.recording_id
WHERE g.site = $1 AND g.draw_id = $2 AND g.replace_reason <> '' ORDER BY g.unit, g.replaced_number
"""
_REPLACE: Final = """
UPDATE samples SET replace_reason = $4, replaced_number = $5 WHERE site = $1 AND draw_id = $2 AND recording_id = $3
"""
_STAND_IN: Final = """
INSERT INTO samples (site, draw_id, recording_id, kind, unit, person, channel, probability, frame_row, replaces)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


@dataclass(frozen=True, slots=True)
class Commitment:
    """A seed that was committed to; the period is that of a week, None for a spot check."""

    site: str
    key: str
    commitment: str
    secret_sealed: bytes
    committed_at: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    draw_id: str = ""

    @property
    def name(self) -> str:
        """What its secret is sealed for."""
        return f"sites/{self.site}/commitments/{self.key}"


@dataclass(frozen=True, slots=True)
class Made:
    """A draw to keep."""

    site: str
    id: str
    kind: str
    starts_at: datetime
    ends_at: datetime
    cutoff: datetime
    record: Mapping[str, Any]
    causes: Mapping[str, str]


async def commit(tx: Transaction, one: Commitment) -> bool:
    """Keep a commitment; False when there is one for its key."""
    given = (one.site, one.key, one.commitment, one.secret_sealed, one.committed_at, one.starts_at, one.ends_at)
    return bool(await tx.fetchval(_COMMIT, *given))


async def due(tx: Reading, site: str, now: datetime) -> Commitment | None:
    """The first week that is over and not drawn yet."""
    row = await tx.fetchrow(_DUE, site, now)
    return None if row is None else Commitment(**dict(row))


async def spot(tx: Reading, site: str) -> Commitment | None:
    """The commitment of the next spot check."""
    row = await tx.fetchrow(_SPOT, site)
    return None if row is None else Commitment(**dict(row))


async def spots(tx: Reading, site: str) -> int:
    """How many commitments of spot checks there were."""
    return int(await tx.fetchval(_SPOTS, site))


async def commitments(tx: Reading, site: str, *, before: tuple[datetime, str], limit: int) -> list[Commitment]:
    """Commitments before a position, latest first."""
    return [Commitment(**dict(row)) for row in await tx.fetch(_COMMITMENTS, site, *before, limit)]


async def last_week(tx: Reading, site: str, before: datetime) -> tuple[datetime, datetime] | None:
    """End and cutoff of the weekly frame before this end."""
    row = await tx.fetchrow(_LAST_WEEK, site, before)
    return None if row is None else (row["ends_at"], row["cutoff"])


async def insert(tx: Transaction, commitment: Commitment, made: Made, frame: Frame, picks: Sequence[Pick]) -> bool:
    """Reveal a commitment by its draw; False when another worker has."""
    if not await tx.fetchval(_REVEAL, made.site, commitment.key, made.id):
        return False
    about = (made.site, made.id, made.kind, made.starts_at, made.ends_at, made.cutoff, tx.now)
    texts = (json.dumps(made.record, ensure_ascii=False), json.dumps(made.causes))
    await tx.execute(_INSERT, *about, frame.sha256, frame.count, *texts)
    ids = [frame.recording(pick.row) for pick in picks]
    await tx.execute(
        _SAMPLES,
        made.site,
        made.id,
        ids,
        [pick.kind for pick in picks],
        [pick.unit for pick in picks],
        [frame.person(pick.row) for pick in picks],
        [frame.channel(pick.row) for pick in picks],
        [pick.probability for pick in picks],
        [pick.row for pick in picks],
    )
    await tx.execute(_SAMPLED, made.site, ids)
    return True


async def get(tx: Reading, site: str, draw_id: str) -> dict[str, Any]:
    """One draw as a row: what its record says, without the recordings. Raises NotFound."""
    return _decoded(_there(await tx.fetchrow(_GET, site, draw_id), site, draw_id))


async def published(tx: Reading, site: str, draw_id: str) -> dict[str, Any]:
    """The whole published record, with what was replaced since. Raises NotFound."""
    row = _there(await tx.fetchrow(_RECORD, site, draw_id), site, draw_id)
    replaced = [dict(one) for one in await tx.fetch(_REPLACED, site, draw_id)]
    return {**json.loads(row["record"]), "replacements": replaced}


async def frame_of(tx: Reading, site: str, draw_id: str) -> str:
    """The hash of a draw's frame. Raises NotFound."""
    return str(_there(await tx.fetchrow(_FRAME, site, draw_id), site, draw_id)["frame_sha256"])


async def lock(tx: Transaction, site: str, draw_id: str) -> tuple[str, bytes]:
    """Lock a draw; its frame's hash and its seed. Raises NotFound."""
    row = _there(await tx.fetchrow(_SEED, site, draw_id), site, draw_id)
    return row["frame_sha256"], bytes.fromhex(row["seed"])


async def drawn(tx: Reading, site: str, ids: Sequence[str], kind: str) -> set[str]:
    """Which of these recordings a draw of this kind has, and were not replaced."""
    return {row["id"] for row in await tx.fetch(_DRAWN, site, list(ids), kind)}


async def page(tx: Reading, site: str, *, before: tuple[datetime, str], limit: int) -> list[dict[str, Any]]:
    """Draws before a position, latest first."""
    return [_decoded(row) for row in await tx.fetch(_PAGE, site, *before, limit)]


async def spot_checks(tx: Reading, site: str, since: datetime) -> int:
    """How many spot checks were made since an instant."""
    return int(await tx.fetchval(_SPOT_CHECKS, site, since))


async def sample(tx: Reading, site: str, draw_id: str, recording_id: str) -> Any:
    """One sample; None for a recording that was not drawn."""
    return await tx.fetchrow(_SAMPLE, site, draw_id, recording_id)


async def samples(tx: Reading, site: str, draw_id: str, *, after: str, limit: int) -> list[Any]:
    """Samples after a recording, by recording."""
    return await tx.fetch(_SAMPLES_PAGE, site, draw_id, after, limit)


async def of_unit(tx: Reading, site: str, draw_id: str, unit: str) -> list[Any]:
    """Every sample of a unit."""
    return await tx.fetch(_OF_UNIT, site, draw_id, unit)


async def replace(tx: Transaction, site: str, draw_id: str, recording_id: str, reason: str, number: int) -> None:
    """Note that a sample was replaced, as which one of its unit."""
    await tx.execute(_REPLACE, site, draw_id, recording_id, reason, number)


async def stand_in(tx: Transaction, site: str, draw_id: str, gone: Any, frame: Frame, row: int) -> None:
    """Add the recording that takes the place of another one."""
    id_ = frame.recording(row)
    about = (gone["kind"], gone["unit"], frame.person(row), frame.channel(row), gone["probability"], row)
    await tx.execute(_STAND_IN, site, draw_id, id_, *about, gone["recording_id"])
    await tx.execute(_SAMPLED, site, [id_])


def _there(row: Any, site: str, draw_id: str) -> Any:
    if row is None:
        raise not_found(f"sites/{site}/draws/{draw_id}")
    return row


def _decoded(row: Any) -> dict[str, Any]:
    return {**row, "record": json.loads(row["record"]), "causes": json.loads(row["causes"])}
