"""Frames: their rows from the database, their files in the object store under their SHA-256."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.kit.db import Transaction
from services.qa.domain import frame as files
from services.qa.domain.frame import RISKS, Frame, Rows
from services.qa.store.objects import Objects

BATCH: Final = 50_000
KEPT: Final = 8  # files in the folder; any other is fetched again
# Whatever came after the frame before this one was closed belongs to this one, however late: each recording is in one.
_ROWS: Final = f"""
DECLARE frame_rows NO SCROLL CURSOR FOR
SELECT uuid_send(r.recording_id) AS id, floor(extract(epoch FROM r.ended_at - $2::timestamptz))::integer AS ended,
    r.person, r.channel, coalesce(m.team, '') AS team,
    CASE WHEN c.rating > 0 AND c.rating < $6::float8 THEN {RISKS["LOW_RATING"]} ELSE 0 END
    + CASE WHEN c.breached THEN {RISKS["BREACHED"]} ELSE 0 END
    + CASE WHEN c.transferred THEN {RISKS["TRANSFERRED"]} ELSE 0 END
    + CASE WHEN c.harassed THEN {RISKS["HARASSMENT"]} ELSE 0 END AS risk
FROM recordings r
LEFT JOIN conversations c ON c.site = r.site AND c.subject = r.subject
LEFT JOIN members m ON m.site = r.site AND m.person = r.person
WHERE r.site = $1 AND r.person <> '' AND r.state <> 'EXPIRED' AND r.ended_at < $3 AND r.registered_at <= $4
    AND CASE WHEN $5::timestamptz IS NULL THEN r.ended_at >= $2
             ELSE r.ended_at >= $7 OR r.registered_at > $5 END
    AND ($8 = '' OR r.person = $8)
"""
_NEXT: Final = f"FETCH {BATCH} FROM frame_rows"
_CLOSE: Final = "CLOSE frame_rows"
_PEOPLE: Final = """
SELECT p.person, coalesce(m.team, '') AS team, p.active
FROM people p LEFT JOIN members m ON m.site = p.site AND m.person = p.person WHERE p.site = $1
"""


@dataclass(frozen=True, slots=True)
class Span:
    """What a frame covers: recordings that ended in the period and were registered by `cutoff`.

    `before` is the end and the cutoff of the frame before, None for the first one: late recordings belong here.
    """

    site: str
    starts_at: datetime
    ends_at: datetime
    cutoff: datetime
    before: tuple[datetime, datetime] | None = None
    person: str = ""


class Index:
    """Numbers names in the order in which they come."""

    def __init__(self, names: list[str] | None = None) -> None:
        self._numbers = {name: number for number, name in enumerate(names or [])}

    def __getitem__(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    @property
    def names(self) -> list[str]:
        """The names by number."""
        return list(self._numbers)


async def people(tx: Transaction, site: str) -> list[Any]:
    """Who works or worked at a site: person, team, active."""
    return await tx.fetch(_PEOPLE, site)


async def rows(
    tx: Transaction, span: Span, *, low_rating: float, unit_of: Callable[[str, str], str], units: Index
) -> tuple[Rows, list[str], list[str]]:
    """The frame's rows, with people and channels by number; `unit_of(person, team)` says which unit is whose."""
    persons, channels = Index(), Index()
    pieces: list[Rows] = []
    ended, cutoff = span.before or (None, None)
    arguments = (span.site, span.starts_at, span.ends_at, span.cutoff, cutoff, low_rating, ended, span.person)
    await tx.execute(_ROWS, *arguments)
    while batch := await tx.fetch(_NEXT):
        pieces.append(
            Rows(
                ids=np.frombuffer(b"".join(row["id"] for row in batch), "V16"),
                ended=np.array([row["ended"] for row in batch], "<i4"),
                unit=np.array([units[unit_of(row["person"], row["team"])] for row in batch], "<u4"),
                person=np.array([persons[row["person"]] for row in batch], "<u4"),
                channel=np.array([channels[row["channel"]] for row in batch], "u1"),
                risk=np.array([row["risk"] for row in batch], "u1"),
            )
        )
    await tx.execute(_CLOSE)
    whole = Rows(
        *(
            np.concatenate([np.empty(0, kind), *(getattr(piece, name) for piece in pieces)])
            for name, kind in files.COLUMNS.items()
        )
    )
    return whole, persons.names, channels.names


class Frames:
    """Frames in the object store, with a folder of copies that are read from."""

    def __init__(self, objects: Objects, folder: Path) -> None:
        self._objects = objects
        self._folder = folder

    async def save(
        self, about: Mapping[str, Any], found: Rows, *, units: list[str], people: list[str], channels: list[str]
    ) -> Frame:
        """Freeze rows: write the file, store it under its hash, open it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{uuid.uuid4()}.draft"
        names = {"units": units, "people": people, "channels": channels}
        try:
            sha256 = await asyncio.to_thread(files.write, draft, about, found, **names)
            await self._objects.put(key_of(sha256), draft)
            draft.replace(self._folder / sha256)
        finally:
            draft.unlink(missing_ok=True)
        self._tidy()
        return await self.open(sha256)

    async def open(self, sha256: str) -> Frame:
        """Open a frame by its hash. Raises FrameError or FileNotFoundError."""
        return await asyncio.to_thread(files.read, await self.file(sha256), sha256)

    async def file(self, sha256: str) -> Path:
        """A frame's file, fetched where it is not here yet. Raises FileNotFoundError."""
        path = self._folder / sha256
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            await self._objects.fetch(key_of(sha256), path)
            self._tidy()
        return path

    def _tidy(self) -> None:
        """Keep the newest files only; who has an older one open keeps it, as POSIX has it."""
        found = sorted(self._folder.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)
        for old in found[KEPT:]:
            old.unlink(missing_ok=True)

    async def piece(self, sha256: str, offset: int, length: int) -> tuple[bytes, int]:
        """A piece of a frame's file, and the bytes of the whole."""
        size = await self._objects.size(key_of(sha256))
        length = max(0, min(length, size - offset))
        return (await self._objects.get_range(key_of(sha256), offset, length) if length else b""), size


def key_of(sha256: str) -> str:
    """A frame's key in the object store."""
    return f"frames/{sha256}"
