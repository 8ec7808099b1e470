"""Replacing what was drawn and cannot be reviewed: with a reason, counted, by the same seed."""

from __future__ import annotations

from typing import Any

from services.kit.audit import Entry
from services.kit.db import Transaction
from services.qa.domain import draw as rules
from services.qa.errors import not_drawn
from services.qa.store import draws as store
from services.qa.store import recordings, reviews
from services.qa.store.frames import Frames


class Replacements:
    """Commands on samples."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames

    async def replace(
        self, tx: Transaction, site: str, draw_id: str, recording: str, reason: str, *, actor: str
    ) -> Any:
        """Put another recording of the unit in its place; returns the replaced sample.

        Raises FailedPrecondition for one that was not drawn at random, or was replaced or reviewed before.
        """
        sha256, seed = await store.lock(tx, site, draw_id)
        name = f"sites/{site}/draws/{draw_id}/samples/{recording}"
        gone = await store.sample(tx, site, draw_id, recording)
        if gone is None or gone["kind"] == rules.RISK:
            raise not_drawn(name, "it is not among the random draws")
        if gone["replace_reason"]:
            raise not_drawn(name, "it was replaced before")
        await recordings.get(tx, site, recording, lock=True)  # so that no review of it is submitted meanwhile
        if await reviews.submitted(tx, site, recording):
            raise not_drawn(name, "it was reviewed before: what was heard counts")
        unit = await store.of_unit(tx, site, draw_id, gone["unit"])
        number = sum(1 for one in unit if one["replace_reason"])
        frame = await self._frames.open(sha256)
        row = rules.replacement(frame, seed, gone["unit"], [one["frame_row"] for one in unit], number)
        await store.replace(tx, site, draw_id, recording, reason, number)
        if row is not None:
            await store.stand_in(tx, site, draw_id, gone, frame, row)
        tx.audit(Entry(site, actor, "sample.replace", name, reason))
        return await store.sample(tx, site, draw_id, recording)
