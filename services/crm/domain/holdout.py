"""Who is held back from a campaign or plan, so that what it does can be measured: by lot, repeatable by anybody.

The draw is a keyed hash of the customer under a seed. The seed's own hash is on record before the first message, the
seed itself afterwards: nobody can have chosen it to suit the result, and everybody can draw again.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

from services.crm.domain.intervals import Interval, newcombe

SEED_BYTES = 32


class Arm(StrEnum):
    """Which side of the comparison."""

    TREATED = "TREATED"
    HELD_BACK = "HELD_BACK"


def arm_of(seed: bytes, subject: str, customer: str, *, share: float) -> Arm:
    """Return the customer's arm in the campaign or plan named `subject`; a share of 0 holds nobody back."""
    digest = hmac.digest(seed, f"{subject}\n{customer}".encode(), hashlib.sha256)
    lot = int.from_bytes(digest[:8]) / 2**64
    return Arm.HELD_BACK if lot < share else Arm.TREATED


def commitment(seed: bytes) -> str:
    """Return what is published of a seed before it is used: its SHA-256, hexadecimal."""
    return hashlib.sha256(seed).hexdigest()


@dataclass(frozen=True, slots=True)
class Group:
    """One arm's customers and how many of them did what was hoped for."""

    customers: int
    converted: int


@dataclass(frozen=True, slots=True)
class Lift:
    """What a campaign did: share of the treated minus share of the held back, with its interval."""

    treated: Group
    held_back: Group
    difference: Interval
    level: float

    @property
    def gained(self) -> float:
        """Conversions that would not have been, in customers."""
        return self.difference.estimate * self.treated.customers

    @property
    def clear(self) -> bool:
        """Whether the interval leaves no doubt about the sign."""
        return self.difference.low > 0 or self.difference.high < 0


def lift(treated: Group, held_back: Group, *, level: float = 0.95) -> Lift | None:
    """Compare the arms by intention to treat: everybody drawn counts, also who got no message; None without two arms.

    Interval by Newcombe's method 10 (see `intervals`).
    """
    if not treated.customers or not held_back.customers:
        return None
    difference = newcombe(treated.converted, treated.customers, held_back.converted, held_back.customers, level=level)
    return Lift(treated, held_back, difference, level)
