"""SQL of data subjects' requests and of the proofs that services give."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from services.crm.domain.request import DataRequest, Proof
from services.crm.errors import not_found
from services.kit.db import Transaction

_COLUMNS: Final = "site, request_id, customer_id, kind, state, opened_at, verifier, decider, words, ended_at"
_INSERT: Final = f"INSERT INTO data_requests ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_GET: Final = f"SELECT {_COLUMNS} FROM data_requests WHERE site = $1 AND request_id = $2"
_PUT: Final = """
UPDATE data_requests SET state = $3, verifier = $4, decider = $5, words = $6, ended_at = $7
WHERE site = $1 AND request_id = $2
"""
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM data_requests WHERE site = $1 AND (opened_at, request_id) < ($2, $3)
ORDER BY opened_at DESC, request_id DESC LIMIT $4
"""
_PROVE: Final = """
INSERT INTO erasure_proofs (site, request_id, service, erased, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""
_PROOFS: Final = """
SELECT request_id, service, erased, at FROM erasure_proofs WHERE site = $1 AND request_id = ANY ($2::text[])
ORDER BY service
"""


async def insert(tx: Transaction, request: DataRequest) -> None:
    """Add a request."""
    await tx.execute(
        _INSERT,
        request.site,
        request.id,
        request.customer,
        request.kind,
        request.state,
        request.opened_at,
        request.verifier,
        request.decider,
        request.words,
        request.ended_at,
    )


async def get(tx: Transaction, site: str, request_id: str, *, lock: bool = False) -> DataRequest:
    """One request; `lock` makes others who act on it wait. Raises NotFound."""
    row = await tx.fetchrow(_GET + (" FOR UPDATE" if lock else ""), site, request_id)
    if row is None:
        raise not_found(f"sites/{site}/dataRequests/{request_id}")
    return _request(row)


async def put(tx: Transaction, request: DataRequest) -> None:
    """Write a locked request back."""
    given = (request.state, request.verifier, request.decider, request.words, request.ended_at)
    await tx.execute(_PUT, request.site, request.id, *given)


async def page(tx: Transaction, site: str, *, before: tuple[datetime, str], limit: int) -> list[DataRequest]:
    """Requests before a position, latest first."""
    return [_request(row) for row in await tx.fetch(_PAGE, site, *before, limit)]


async def prove(tx: Transaction, site: str, request_id: str, proof: Proof) -> None:
    """Keep a service's proof; the first one counts."""
    await tx.execute(_PROVE, site, request_id, proof.service, json.dumps(dict(proof.erased)), proof.at)


async def proofs(tx: Transaction, site: str, requests: Sequence[str]) -> dict[str, list[Proof]]:
    """Proofs by request."""
    found: dict[str, list[Proof]] = {one: [] for one in requests}
    for row in await tx.fetch(_PROOFS, site, list(requests)):
        found[row["request_id"]].append(Proof(row["service"], json.loads(row["erased"]), row["at"]))
    return found


def _request(row: Any) -> DataRequest:
    names = ("site", "kind", "state", "opened_at", "verifier", "decider", "words", "ended_at")
    return DataRequest(id=row["request_id"], customer=row["customer_id"], **{name: row[name] for name in names})
