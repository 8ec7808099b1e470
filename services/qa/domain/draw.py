"""Drawing from a frame, so that anybody with the published record gets the same recordings.

The seed mixes a secret whose hash was published before the period with the hash of the frame, which nobody knows before
the period ends: who knows the secret cannot choose the frame, and who makes recordings does not know the secret.

Within a unit the rows are sorted by person, channel and time. The sample is systematic with a random start: the circle
of the unit's N rows is cut at a random point into n ranges of N/n rows, and each range gives one recording. So every
person and channel gets its share to less than two recordings, and each recording's probability is exactly n/N. Which
moment of its range a recording is taken from follows a random permutation of the n slices of time (Latin hypercube
sampling, McKay, Beckman and Conover 1979), so that the sample is spread over the period as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.qa.domain.frame import Frame

WORD_BYTES: Final = 8
WORD: Final = 1 << 64
RANDOM: Final = "RANDOM"
RISK: Final = "RISK"
AD_HOC: Final = "AD_HOC"


def commitment_of(secret: bytes) -> str:
    """What is published of a secret before the period begins: its SHA-256, hexadecimal."""
    return hashlib.sha256(secret).hexdigest()


def seed_of(secret: bytes, frame_sha256: str) -> bytes:
    """The seed: SHA-256 of "kefu-draw-1", the secret and the frame's hash (hexadecimal), each on a line."""
    return hashlib.sha256(b"kefu-draw-1\n" + secret.hex().encode() + b"\n" + frame_sha256.encode()).digest()


class Stream:
    """Random numbers of a seed and a label: the 8-byte big-endian words of SHA-256(seed, label, counter)."""

    def __init__(self, seed: bytes, label: str) -> None:
        self._prefix = seed + label.encode() + b"\n"
        self._words = self._generate()

    def _generate(self) -> Iterator[int]:
        counter = 0
        while True:
            block = hashlib.sha256(self._prefix + str(counter).encode()).digest()
            for start in range(0, len(block), WORD_BYTES):
                yield int.from_bytes(block[start : start + WORD_BYTES])
            counter += 1

    def word(self) -> int:
        """A number below 2⁶⁴."""
        return next(self._words)

    def below(self, bound: int) -> int:
        """A number below `bound`, each as likely as any other: words of the incomplete last stretch are passed over."""
        limit = WORD - WORD % bound
        while (word := self.word()) >= limit:
            pass
        return word % bound

    def permutation(self, size: int) -> list[int]:
        """A permutation of the numbers below `size` (Fisher and Yates)."""
        order = list(range(size))
        for last in range(size - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order


@dataclass(frozen=True, slots=True)
class Pick:
    """One recording drawn: its row of the frame, why, for which unit, and with which probability."""

    row: int
    kind: str
    unit: str
    probability: float


@dataclass(frozen=True, slots=True)
class UnitResult:
    """What a unit was owed and got; the shortfall is what it had too few recordings for."""

    unit: str
    size: int
    wanted: int
    drawn: int

    @property
    def shortfall(self) -> int:
        """How many are missing to the minimum."""
        return self.wanted - self.drawn


def sample(stream: Stream, ended: npt.NDArray[Any], number: int) -> list[int]:
    """Rows of a unit, ascending: `number` of them without replacement, all where there are no more.

    `ended` are the ends of the unit's recordings in the frame's order.
    """
    size = len(ended)
    number = min(number, size)
    if number == 0:
        return []
    start, slices = stream.below(size), stream.permutation(number)
    picks = []
    for index in range(number):
        first, last = index * size // number, (index + 1) * size // number
        moment = slices[index] * WORD + stream.word()
        rank = moment * (last - first) // (number * WORD)
        picks.append(_at_rank(ended, start + first, last - first, rank))
    return sorted(picks)


def _at_rank(ended: npt.NDArray[Any], first: int, length: int, rank: int) -> int:
    """The row of a rank, by end and then by place, among `length` rows from `first` on, round the circle."""
    size = len(ended)
    first %= size
    tail = ended[first : first + length]
    head = ended[: length - len(tail)]
    values = np.concatenate((head, tail)) if len(head) else tail
    value = np.partition(values, rank)[rank]
    place = int(np.flatnonzero(values == value)[rank - np.count_nonzero(values < value)])
    return place if place < len(head) else first + place - len(head)


def draw(frame: Frame, seed: bytes, number: int, *, kind: str = RANDOM) -> tuple[list[Pick], list[UnitResult]]:
    """Draw `number` from every unit of the frame; a unit that has fewer gives all it has, and its shortfall is told."""
    picks: list[Pick] = []
    results = []
    ended = frame.columns["ended"]
    for unit, first, last in frame.units():
        rows = sample(Stream(seed, f"unit/{unit}"), ended[first:last], number)
        chance = len(rows) / (last - first) if rows else 0.0
        picks += [Pick(first + row, kind, unit, chance) for row in rows]
        results.append(UnitResult(unit, last - first, number, len(rows)))
    return picks, results


def extras(frame: Frame, seed: bytes, number: int, taken: Collection[int]) -> list[Pick]:
    """Recordings with signs of trouble, beside the random ones and never counted among them."""
    risky = np.flatnonzero(frame.columns["risk"])
    candidates = risky[~np.isin(risky, np.fromiter(taken, np.int64, len(taken)))]
    number = min(number, len(candidates))
    chosen = _distinct(Stream(seed, "risk"), len(candidates), number)
    units = frame.units()
    chance = number / len(candidates) if number else 0.0
    return [Pick(row, RISK, _unit_of(units, row), chance) for row in sorted(int(candidates[one]) for one in chosen)]


def replacement(frame: Frame, seed: bytes, unit: str, taken: Sequence[int], count: int) -> int | None:
    """The row that takes the place of one that cannot be reviewed; None where the unit has no more.

    `taken` are all rows drawn from the unit so far, replaced ones and extras included; `count`
    is how many were replaced before.
    """
    first, last = next((first, last) for name, first, last in frame.units() if name == unit)
    free = last - first - len(taken)
    if free <= 0:
        return None
    row = first + Stream(seed, f"replace/{unit}/{count}").below(free)
    for before in sorted(taken):
        if before <= row:
            row += 1
    return row


def _distinct(stream: Stream, bound: int, number: int) -> list[int]:
    found: dict[int, None] = {}
    while len(found) < number:
        found[stream.below(bound)] = None
    return list(found)


def _unit_of(units: Sequence[tuple[str, int, int]], row: int) -> str:
    return next(name for name, first, last in units if first <= row < last)
