"""SQL of campaigns."""

from __future__ import annotations

import json
from typing import Any, Final

import asyncpg

from services.crm.domain.campaign import Campaign, Draft
from services.crm.domain.guard import Purpose
from services.crm.domain.segment_form import plain, read
from services.crm.errors import not_found
from services.kit.db import Transaction

_DRAFT: Final = (
    "kind, purpose, title, subject, body, channels, segment, holdout_share, window_days, recurring, coupon_fen,"
    " coupon_days"
)
_STATE: Final = (
    "state, version, author, approver, reason, start_at, began_at, ended_at, drawn_to, occasion, day, created_at"
)
_COLUMNS: Final = f"site, id, seed, {_DRAFT}, {_STATE}"
_PLACES: Final = ", ".join(f"${number}" for number in range(1, _COLUMNS.count(",") + 2))
_INSERT: Final = f"INSERT INTO campaigns ({_COLUMNS}) VALUES ({_PLACES})"
_GET: Final = f"SELECT {_COLUMNS} FROM campaigns WHERE site = $1 AND id = $2"
_LIST: Final = f"""
SELECT {_COLUMNS} FROM campaigns WHERE site = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3
"""
_UPDATE: Final = """
UPDATE campaigns SET state = $3, version = $4, approver = $5, reason = $6, start_at = $7, began_at = $8, ended_at = $9,
    drawn_to = $10, occasion = $11, day = $12
WHERE site = $1 AND id = $2
"""


async def insert(tx: Transaction, campaign: Campaign) -> None:
    """Add a campaign."""
    draft: dict[str, Any] = {name: getattr(campaign.draft, name) for name in _DRAFT.split(", ")}
    draft |= {
        "purpose": campaign.draft.purpose.value,
        "channels": list(campaign.draft.channels),
        "segment": json.dumps(plain(campaign.draft.segment)),
    }
    state = (getattr(campaign, name) for name in _STATE.split(", "))
    await tx.execute(_INSERT, campaign.site, campaign.id, campaign.seed, *draft.values(), *state)


async def get(tx: Transaction, site: str, id_: str, *, lock: bool = False) -> Campaign:
    """One campaign; `lock` makes other writers wait. Raises NotFound."""
    row = await tx.fetchrow(_GET + (" FOR UPDATE" if lock else ""), site, id_)
    if row is None:
        raise not_found(f"sites/{site}/campaigns/{id_}")
    return _campaign(row)


async def page(tx: Transaction, site: str, *, before: str, limit: int) -> list[Campaign]:
    """Campaigns, newest first."""
    return [_campaign(row) for row in await tx.fetch(_LIST, site, before, limit)]


async def update(tx: Transaction, c: Campaign) -> None:
    """Write a locked campaign back."""
    times = (c.start_at, c.began_at, c.ended_at)
    await tx.execute(
        _UPDATE, c.site, c.id, c.state, c.version, c.approver, c.reason, *times, c.drawn_to, c.occasion, c.day
    )


def _campaign(row: asyncpg.Record) -> Campaign:
    values: dict[str, Any] = dict(row)
    fields = {name: values.pop(name) for name in _DRAFT.split(", ")}
    fields["segment"] = read(json.loads(fields["segment"]))
    fields["purpose"] = Purpose(fields["purpose"])
    fields["channels"] = tuple(fields["channels"])
    return Campaign(draft=Draft(**fields), **values)
