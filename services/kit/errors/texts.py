"""The words of each reason, from `services/kit/messages/{zh_CN,en}.yaml`, filled from an error's metadata."""

from __future__ import annotations

import functools
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.kit import yaml_text

DEFAULT_LOCALE: Final = "zh-CN"
LOCALES: Final = ("zh-CN", "en")

_MESSAGES: Final = Path(__file__).parent.parent / "messages"


class _Blank(dict[str, str]):
    """Shows a placeholder without a value as a dash, because a refusal must never fail for want of a word."""

    def __missing__(self, key: str) -> str:
        return "–"


@functools.cache
def catalogue(locale: str) -> Mapping[str, str]:
    """Reason name → text with {placeholders}, for one of `LOCALES`."""
    loaded = yaml_text.load((_MESSAGES / f"{locale.replace('-', '_')}.yaml").read_text(encoding="utf-8"))
    return {str(reason): str(words) for reason, words in loaded.items()}


def text(reason_name: str, locale: str, metadata: Mapping[str, str]) -> str:
    """The sentence for a reason in a locale; a reason that the catalogue does not know reads as its own name."""
    words = catalogue(locale).get(reason_name, reason_name)
    return string.Formatter().vformat(words, (), _Blank(metadata))


@functools.lru_cache(maxsize=256)
def choose_locale(wanted: str) -> str:
    """The first of our locales that an Accept-Language value asks for ("en-GB,en;q=0.8" → "en"); zh-CN otherwise.

    Browsers send their languages in order of preference, so the weights need no sorting.
    """
    for part in wanted.lower().split(","):
        language = part.split(";", 1)[0].strip().replace("_", "-").split("-", 1)[0]
        for locale in LOCALES:
            if language == locale.split("-", 1)[0]:
                return locale
    return DEFAULT_LOCALE
