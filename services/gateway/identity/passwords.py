"""Passwords by NIST SP 800-63B: length counts, composition does not; argon2id at OWASP's parameters."""

from __future__ import annotations

import threading
import unicodedata
from typing import Final

import argon2

from services.kit.errors import InvalidArgument

SHORTEST: Final = 12
LONGEST: Final = 128
# 19 MiB a check (OWASP), two at a time: sign-ins never take the memory from everybody else.
_HASHER: Final = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_AT_A_TIME: Final = 2
# What people choose first when they must have twelve characters; blocked with all their repetitions and counts.
_OBVIOUS: Final = (
    "password",
    "qwerty",
    "123456",
    "letmein",
    "welcome",
    "admin",
    "kefu",
    "iloveyou",
    "abc123",
    "woaini",
)


class Passwords:
    """Hashes and checks passwords; one per process."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(_AT_A_TIME)
        self._nobody = _HASHER.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """The argon2id hash, with its parameters in it."""
        with self._slots:
            return _HASHER.hash(_normal(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password fits; an account without one costs the same time as any other."""
        with self._slots:
            try:
                fits = _HASHER.verify(stored or self._nobody, _normal(password)[: LONGEST * 4])
            except argon2.exceptions.VerificationError:
                return False
            except argon2.exceptions.InvalidHashError:
                return False
        return fits and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return _HASHER.check_needs_rehash(stored)


def check_new(password: str, *, user_name: str, display_name: str) -> None:
    """Refuse a password that is too short, too long or obvious; raises InvalidArgument on field `password`."""
    normal = _normal(password)
    if len(normal) < SHORTEST:
        raise InvalidArgument.field("password", f"needs at least {SHORTEST} characters", "too_short")
    if len(normal) > LONGEST:
        raise InvalidArgument.field("password", f"has more than {LONGEST} characters", "too_long")
    plain = normal.casefold()
    for word in sorted({*_OBVIOUS, user_name.casefold(), display_name.casefold()}, key=len, reverse=True):
        if len(word) > 2:
            plain = plain.replace(word, "")
    if len(set(plain.strip("0123456789!?.-_ "))) < 4:
        raise InvalidArgument.field("password", "is easy to guess: use several unrelated words", "obvious")


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
