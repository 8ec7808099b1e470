"""SQL of what goes: holds, destroyed keys, proofs of deletion, customers to be forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.kit.db import Reading, Transaction

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
# Who held a recording back while its customer was to be forgotten finds that noted when the hold ends.
_ASK: Final = """
UPDATE holds h SET erase_after = true FROM recordings r
WHERE r.site = $1 AND r.customer = ANY ($2::text[]) AND r.held AND h.site = r.site AND h.recording_id = r.recording_id
"""
_OF_CUSTOMERS: Final = """
SELECT recording_id::text AS id FROM recordings
WHERE site = $1 AND customer = ANY ($2::text[]) AND NOT held ORDER BY recording_id FOR UPDATE
"""
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
_EXPIRE: Final = """
UPDATE recordings SET state = 'EXPIRED', missing = false, customer = ''
WHERE site = $1 AND recording_id = ANY ($2::uuid[])
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
SELECT site, recording_id::text AS id, upload, parts FROM deletions WHERE deleted_at IS NULL
ORDER BY destroyed_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_DONE: Final = "UPDATE deletions SET deleted_at = $3 WHERE site = $1 AND recording_id = $2"
_PROOF: Final = """
SELECT cause, parts, sha256, size_bytes, destroyed_at, deleted_at FROM deletions WHERE site = $1 AND recording_id = $2
"""


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


async def destroy(tx: Transaction, site: str, ids: Sequence[str], cause: str) -> int:
    """Destroy the keys of these locked recordings and write the proofs; their parts are deleted afterwards."""
    proved = int((await tx.execute(_PROVE, site, list(ids), cause, tx.now)).rsplit(maxsplit=1)[-1])
    await tx.execute(_DESTROY, site, list(ids))
    await tx.execute(_EXPIRE, site, list(ids))
    return proved


async def erase(tx: Transaction, site: str, customers: Sequence[str]) -> Mapping[str, int]:
    """Forget customers: what is held back goes when the hold ends. Returns rows by table."""
    held = int((await tx.execute(_ASK, site, list(customers))).rsplit(maxsplit=1)[-1])
    ids = [row["id"] for row in await tx.fetch(_OF_CUSTOMERS, site, list(customers))]
    forgotten = int((await tx.execute(_FORGET, site, list(customers))).rsplit(maxsplit=1)[-1])
    destroyed = await destroy(tx, site, ids, "ERASURE") if ids else 0
    unsaid = int((await tx.execute(_UNSAY, site, ids)).rsplit(maxsplit=1)[-1])
    return {"recordings": destroyed, "conversations": forgotten, "holds": held, "reviews": unsaid}


async def open_deletions(tx: Transaction, *, limit: int) -> list[tuple[str, str, str, int]]:
    """Site, id, upload and number of parts of what is still to be deleted, locked."""
    return [(row["site"], row["id"], row["upload"], row["parts"]) for row in await tx.fetch(_OPEN, limit)]


async def deleted(tx: Transaction, site: str, recording_id: str) -> None:
    """Note that the parts are gone."""
    await tx.execute(_DONE, site, recording_id, tx.now)


async def proof(tx: Reading, site: str, recording_id: str) -> Any:
    """The proof of a deletion; None while there is none."""
    return await tx.fetchrow(_PROOF, site, recording_id)
