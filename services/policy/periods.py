"""A profile's ISO 8601 periods (P1Y, P2W) for people."""

from __future__ import annotations

import re
from typing import Final

from services.policy.profile import Text

_UNITS: Final = {"Y": Text("年", "y"), "M": Text("个月", "mo"), "W": Text("周", "wk"), "D": Text("天", "d")}


def in_words(period: str, locale: str) -> str:
    """A period such as P1Y6M in words: 1 年 6 个月, 1 y 6 mo."""
    parts = re.findall(r"(\d+)([YMWD])", period)
    return " ".join(f"{number} {_UNITS[unit].get(locale)}" for number, unit in parts)
