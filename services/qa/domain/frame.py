"""The frame: everything that could be drawn in a period, as one immutable file named by its SHA-256.

Format KEFU-FRAME-1 (little-endian):

    KEFU-FRAME-1 \\n
    one line of JSON, padded with spaces so that the columns begin at a multiple of 16
    ids      16 bytes each   UUIDs of the recordings
    ended    int32           end of the recording, seconds from the period's start (before 0: a late one)
    unit     uint32          index into `units`
    person   uint32          index into `people`
    channel  uint8           index into `channels`
    risk     uint8           bit mask, see `RISKS`

The JSON holds site, period, `count`, `units` as [name, recordings], `people` and `channels`. Rows are sorted by unit,
person, channel, ended, id, so that a unit is one range of rows, and each person's recordings of a channel one range
within it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

MAGIC: Final = b"KEFU-FRAME-1\n"
ALIGNMENT: Final = 16
# Signs of trouble, as bits of the column `risk`.
RISKS: Final = {"LOW_RATING": 1, "BREACHED": 2, "TRANSFERRED": 4, "HARASSMENT": 8}
# name → bytes of an entry
COLUMNS: Final[Mapping[str, str]] = {
    "ids": "V16",
    "ended": "<i4",
    "unit": "<u4",
    "person": "<u4",
    "channel": "u1",
    "risk": "u1",
}
_CHUNK: Final = 1 << 22

Column = npt.NDArray[Any]


class FrameError(ValueError):
    """The file is no frame, or not the frame that was asked for; the text says what is wrong."""


@dataclass(frozen=True)
class Rows:
    """Unsorted rows of a frame: one entry each per recording. `unit` and `person` index the lists of `Frame`."""

    ids: Column
    ended: Column
    unit: Column
    person: Column
    channel: Column
    risk: Column

    def sorted(self) -> Rows:
        """By unit, person, channel, end, id."""
        halves = np.ascontiguousarray(self.ids).view(">u8").reshape(-1, 2)
        order = np.lexsort((halves[:, 1], halves[:, 0], self.ended, self.channel, self.person, self.unit))
        return Rows(*(getattr(self, name)[order] for name in COLUMNS))


@dataclass(frozen=True)
class Frame:
    """A frame that was opened: its header, and its columns mapped from the file."""

    sha256: str
    header: Mapping[str, Any]
    columns: Mapping[str, Column]

    @property
    def count(self) -> int:
        """Recordings in it."""
        return int(self.header["count"])

    def units(self) -> list[tuple[str, int, int]]:
        """Each unit's name and its range of rows."""
        found, start = [], 0
        for name, size in self.header["units"]:
            found.append((str(name), start, start + int(size)))
            start += int(size)
        return found

    def recording(self, row: int) -> str:
        """Id of the recording in a row."""
        return str(UUID(bytes=bytes(self.columns["ids"][row])))

    def person(self, row: int) -> str:
        """Id of the person whose service it is."""
        return str(self.header["people"][self.columns["person"][row]])

    def channel(self, row: int) -> str:
        """Its channel."""
        return str(self.header["channels"][self.columns["channel"][row]])


def write(path: Path, about: Mapping[str, Any], rows: Rows, *, units: Sequence[str], people: Sequence[str],
          channels: Sequence[str]) -> str:  # fmt: skip
    """Sort the rows and write the frame; returns its SHA-256. `about` holds site and period."""
    ordered = rows.sorted()
    sizes = np.bincount(ordered.unit, minlength=len(units))
    header = {
        **about,
        "count": len(ordered.ids),
        "units": [[name, int(size)] for name, size in zip(units, sizes, strict=True)],
        "people": list(people),
        "channels": list(channels),
    }
    line = json.dumps(header, ensure_ascii=False, sort_keys=True).encode()
    padding = -(len(MAGIC) + len(line) + 1) % ALIGNMENT
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for part in (MAGIC, line, b" " * padding + b"\n"):
            digest.update(part)
            file.write(part)
        for name, kind in COLUMNS.items():
            data = np.ascontiguousarray(getattr(ordered, name), dtype=kind).view(np.uint8).data
            digest.update(data)
            file.write(data)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """SHA-256 of a file, read piece by piece."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def read(path: Path, sha256: str) -> Frame:
    """Open a frame. Raises FrameError when it is not the file of this hash, or none at all."""
    if (found := digest_of(path)) != sha256:
        raise FrameError(f"{path.name}: SHA-256 is {found}, expected {sha256}")
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise FrameError(f"{path.name}: does not begin with {MAGIC.decode().strip()}")
        header = json.loads(file.readline())
        offset, count = file.tell(), int(header["count"])
    columns = {}
    for name, kind in COLUMNS.items():
        dtype = np.dtype(kind)
        # an empty range cannot be mapped
        columns[name] = np.memmap(path, dtype, "r", offset, (count,)) if count else np.empty(0, dtype)
        offset += count * dtype.itemsize
    return Frame(sha256, header, columns)
