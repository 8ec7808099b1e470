"""Personal data in a transcript, hidden unless somebody was given leave to see it.

What can be told by its form is hidden: identity cards (GB 11643), bank cards, mobile and fixed telephone numbers,
e-mail addresses, and house numbers of addresses. Names cannot be told by their form and stay.
"""

from __future__ import annotations

import re
from typing import Final

_DIGIT: Final = r"[0-9０-９]"
_GAP: Final = r"[ \-－]?"
# The longer forms first, so that a card is not taken for a telephone with digits left over.
_PATTERNS: Final = (
    re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    re.compile(rf"(?<!{_DIGIT})(?:{_DIGIT}{_GAP}){{17}}[0-9０-９Xx](?![0-9A-Za-z])"),
    re.compile(rf"(?<!{_DIGIT})(?:{_DIGIT}{_GAP}){{15,18}}{_DIGIT}(?!{_DIGIT})"),
    re.compile(rf"(?<!{_DIGIT})(?:\+?86{_GAP})?[1１][3-9３-９](?:{_GAP}{_DIGIT}){{9}}(?!{_DIGIT})"),
    re.compile(rf"(?<!{_DIGIT})0{_DIGIT}{{2,3}}{_GAP}{_DIGIT}{{7,8}}(?!{_DIGIT})"),
    re.compile(rf"{_DIGIT}+(?=(?:号楼|栋|幢|单元|室|号院|弄|号))"),
)
MASK: Final = "***"


def masked(text: str) -> str:
    """The text without what tells who somebody is or where to find them."""
    for pattern in _PATTERNS:
        text = pattern.sub(MASK, text)
    return text
