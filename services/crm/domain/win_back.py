"""A case of winning a lost customer back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """What a customer is offered: points for coming back, a coupon for the way. Empty is no offer."""

    points: int = 0
    coupon_fen: int = 0
    coupon_days: int = 0

    def __str__(self) -> str:
        """In words for the guard, which wants one."""
        return f"{self.points} {self.coupon_fen}" if self.points or self.coupon_fen else ""


@dataclass(frozen=True, slots=True)
class WinBack:
    """A lost customer's case. `cause` is why they were lost; notes of contacts lie with the words."""

    site: str
    id: str
    customer: str
    arm: str
    state: str
    cause: str
    reward_points: int
    coupon_fen: int
    coupon_days: int
    contacts: int
    owner: str
    detected_at: datetime
    ends_at: datetime
    ended_at: datetime | None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"sites/{self.site}/winBacks/{self.id}"
