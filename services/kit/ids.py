"""Identifiers: UUIDv7 as text (RFC 9562 §5.7), so that ids sort by the time they were made.

A service takes an `IdSource` as a parameter; tests and replays hand in a seeded one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

IdSource = Callable[[], str]

_RANDOM_BITS: Final = 74
_RANDOM_MASK: Final = (1 << _RANDOM_BITS) - 1


def uuid7(milliseconds: int, random_bits: int) -> str:
    """The UUIDv7 of a Unix time in milliseconds and 74 random bits, as 36 lower-case characters."""
    # By % because it is the fastest way to write five numbers, and every row, event and message has one of these.
    return "%08x-%04x-7%03x-%04x-%012x" % (  # noqa: UP031
        milliseconds >> 16 & 0xFFFF_FFFF,
        milliseconds & 0xFFFF,
        random_bits >> 62 & 0xFFF,
        0x8000 | random_bits >> 48 & 0x3FFF,
        random_bits & 0xFFFF_FFFF_FFFF,
    )


class Ids:
    """A source of UUIDv7s that never goes back: ids of one source sort in the order in which they were made.

    `milliseconds` tells the Unix time (real by default; a replay hands in its virtual clock), `random_bits(n)` gives
    n random bits (a seeded `random.Random(..).getrandbits` makes a run repeatable).
    """

    def __init__(
        self,
        milliseconds: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self._milliseconds = milliseconds
        self._random_bits = random_bits
        self._last_ms = -1
        self._last_random = 0

    def __call__(self) -> str:
        """The next id."""
        now = self._milliseconds()
        if now > self._last_ms:
            self._last_ms, self._last_random = now, self._random_bits(_RANDOM_BITS)
        else:
            # Same millisecond, or a clock set back: count up inside the last one (RFC 9562 §6.2, method 2).
            self._last_random += 1 + self._random_bits(32)
            if self._last_random > _RANDOM_MASK:
                self._last_ms, self._last_random = self._last_ms + 1, self._random_bits(_RANDOM_BITS)
        return uuid7(self._last_ms, self._last_random)


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in the canonical form of 36 lower-case characters."""
    if len(text) != 36 or text[8] != "-" or text[13] != "-" or text[18] != "-" or text[23] != "-":
        return False
    return all(character in "0123456789abcdef" for character in text.replace("-", "")) and text.count("-") == 4
