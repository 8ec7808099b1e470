"""A coupon: issued, then used, expired or voided, each once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

ISSUED = "ISSUED"
USED = "USED"
EXPIRED = "EXPIRED"
VOIDED = "VOIDED"


@dataclass(frozen=True, slots=True)
class Coupon:
    """A right to a discount of `value_fen`."""

    site: str
    id: str
    customer: str
    state: str
    value_fen: int
    cause: str
    reference: str
    expires_at: datetime
    used_for: str = ""

    @property
    def name(self) -> str:
        """The resource name."""
        return f"sites/{self.site}/coupons/{self.id}"

    def standing(self, now: datetime) -> str:
        """The state at an instant: what has run out counts as expired before anybody writes it down."""
        return EXPIRED if self.state == ISSUED and self.expires_at <= now else self.state
