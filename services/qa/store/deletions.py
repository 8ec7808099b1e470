"""SQL of what goes: holds, destroyed keys, proofs of deletion, customers to be forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from services.kit.db import Reading, Transaction
from services.qa.domain.recording import Recording
from services.qa.store.recordings import COLUMNS, OF_CUSTOMERS, recording_of

_HOLD: Final = """
INSERT INTO holds (site, recording_id, reason, actor, since) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (site, recording_id) DO UPDATE SET reason = excluded.reason
"""
_RELEASE: Final = "DELETE FROM holds WHERE site = $1 AND recording_id = $2 RETURNING erase_after"
_HELD: Final = "UPDATE recordings SET held = $3 WHERE site = $1 AND recording_id = $2"
_DUE: Final = """
SELECT site, recording_id::text AS id FROM recordings
WHERE expires_at <= $1 AND state <> 'EXPIRED' AND NOT held ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
# Locked before anything is decided: a hold that comes at the same time is seen, or comes too late.
_OF_CUSTOMERS: Final = f"""
SELECT recording_id::text AS id, held FROM recordings WHERE {OF_CUSTOMERS} ORDER BY recording_id FOR UPDATE
"""
# Who held a recording back while its customer was to be forgotten finds that noted when the hold ends.
_ASK: Final = "UPDATE holds SET erase_after = true WHERE site = $1 AND recording_id = ANY ($2::uuid[])"
_PROVE: Final = """
INSERT INTO deletions (site, recording_id, cause, upload, parts, sha256, size_bytes, destroyed_at, deleted_at)
SELECT r.site, r.recording_id, $3, coalesce(c.upload, ''),
       coalesce((c.size_bytes + 1048575) / 1048576, 0), r.sha256, r.size_bytes, $4::timestamptz,
       CASE WHEN c.upload IS NULL THEN $4::timestamptz END
FROM recordings r LEFT JOIN contents c USING (site, recording_id)
WHERE r.site = $1 AND r.recording_id = ANY ($2::uuid[]) AND r.state <> 'EXPIRED'
ON CONFLICT (site, recording_id) DO NOTHING
"""
_DESTROY: Final = "DELETE FROM contents WHERE site = $1 AND recording_id = ANY ($2::uuid[])"
_EXPIRE: Final = f"""
UPDATE recordings SET state = 'EXPIRED', missing = false, customer = ''
WHERE site = $1 AND recording_id = ANY ($2::uuid[]) AND state <> 'EXPIRED' RETURNING {COLUMNS}
"""
_FORGET: Final = "UPDATE conversations SET customer = '' WHERE site = $1 AND customer = ANY ($2::text[])"
# Reviewers quote: marks and scores stay, their words go with the recording.
_UNSAY: Final = """
UPDATE reviews SET coaching = '', dispute = '',
    answers = (SELECT coalesce(jsonb_agg(one || '{"comment": ""}'), '[]') FROM jsonb_array_elements(answers) AS one),
    evidence = (SELECT coalesce(jsonb_agg(one || '{"note": ""}'), '[]') FROM jsonb_array_elements(evidence) AS one)
WHERE site = $1 AND recording_id = ANY ($2::uuid[])
"""
_OPEN: Final = """
SELECT site, recording_id::text AS id, upload FROM deletions WHERE deleted_at IS NULL ORDER BY destroyed_at LIMIT $1
"""
_DONE: Final = """
UPDATE deletions d SET deleted_at = $3 FROM unnest($1::text[], $2::uuid[]) AS gone (site, recording_id)
WHERE d.site = gone.site AND d.recording_id = gone.recording_id AND d.deleted_at IS NULL
RETURNING d.site, d.recording_id::text AS id
"""
_PROOF: Final = """
SELECT cause, parts, sha256, size_bytes, destroyed_at, deleted_at FROM deletions WHERE site = $1 AND recording_id = $2
"""


class Destroyed(NamedTuple):
    """Recordings whose content was destroyed, and how many reviews lost their words with them."""

    recordings: list[Recording]
    reviews: int


async def hold(tx: Transaction, site: str, recording_id: str, reason: str, actor: str) -> None:
    """Hold a locked recording back from deletion."""
    await tx.execute(_HOLD, site, recording_id, reason, actor, tx.now)
    await tx.execute(_HELD, site, recording_id, True)


async def release(tx: Transaction, site: str, recording_id: str) -> bool:
    """Lift a hold; says whether the customer was to be forgotten meanwhile."""
    await tx.execute(_HELD, site, recording_id, False)
    return bool(await tx.fetchval(_RELEASE, site, recording_id))


async def due(tx: Transaction, *, limit: int) -> list[tuple[str, str]]:
    """Site and id of recordings whose time is over, locked, at every site."""
    return [(row["site"], row["id"]) for row in await tx.fetch(_DUE, tx.now, limit)]


async def destroy(tx: Transaction, site: str, ids: Sequence[str], cause: str) -> Destroyed:
    """Destroy the keys of these locked recordings and write the proofs; their parts are deleted afterwards."""
    await tx.execute(_PROVE, site, list(ids), cause, tx.now)
    await tx.execute(_DESTROY, site, list(ids))
    gone = [recording_of(row) for row in await tx.fetch(_EXPIRE, site, list(ids))]
    return Destroyed(gone, _number(await tx.execute(_UNSAY, site, list(ids))))


async def erase(tx: Transaction, site: str, customers: Sequence[str]) -> Mapping[str, int]:
    """Forget customers: what is held back goes when the hold ends. Returns rows by table."""
    found = await tx.fetch(_OF_CUSTOMERS, site, list(customers))
    held = _number(await tx.execute(_ASK, site, [row["id"] for row in found if row["held"]]))
    forgotten = _number(await tx.execute(_FORGET, site, list(customers)))
    gone, unsaid = await destroy(tx, site, [row["id"] for row in found if not row["held"]], "ERASURE")
    return {"recordings": len(gone), "conversations": forgotten, "holds": held, "reviews": unsaid}


async def open_deletions(tx: Reading, *, limit: int) -> list[tuple[str, str, str]]:
    """Site, id and upload of what is still to be deleted, oldest first."""
    return [(row["site"], row["id"], row["upload"]) for row in await tx.fetch(_OPEN, limit)]


async def deleted(tx: Transaction, gone: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Note that the parts of these (site, id) are gone; returns those of which nobody has noted it yet."""
    sites, ids = [site for site, _ in gone], [id_ for _, id_ in gone]
    return [(row["site"], row["id"]) for row in await tx.fetch(_DONE, sites, ids, tx.now)]


async def proof(tx: Reading, site: str, recording_id: str) -> Any:
    """The proof of a deletion; None while there is none."""
    return await tx.fetchrow(_PROOF, site, recording_id)


def _number(tag: str) -> int:
    """How many rows a statement touched."""
    return int(tag.rsplit(maxsplit=1)[-1])
