"""Words of the console: gettext catalogues `i18n/{zh_CN,en}.po`, read at start, keyed by names like "desk.reply"."""

from __future__ import annotations

import gettext
import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FOLDER: Final = Path(__file__).resolve().parents[1] / "i18n"
LANGUAGES: Final[Mapping[str, str]] = {"zh_CN": "简体中文", "en": "English"}
DEFAULT: Final = "zh_CN"


class Texts:
    """The catalogue of one language. A key without words raises KeyError: a page never shows an identifier."""

    def __init__(self, language: str, catalog: Catalog) -> None:
        self.language = language
        compiled = io.BytesIO()
        write_mo(compiled, catalog)
        compiled.seek(0)
        self._words = gettext.GNUTranslations(compiled)

    def __call__(self, key: str, **values: object) -> str:
        """The words of `key` with {placeholders} filled."""
        return self._fill(key, self._words.gettext(key), values)

    def count(self, key: str, n: int, **values: object) -> str:
        """The words of `key` in the plural form for `n`, which is {n} in them."""
        return self._fill(key, self._words.ngettext(key, key, n), {"n": n, **values})

    def has(self, key: str) -> bool:
        """Whether the catalogue knows the key."""
        return bool(self._words.gettext(key) != key)

    def _fill(self, key: str, words: str, values: Mapping[str, object]) -> str:
        if words == key:
            raise KeyError(f"{self.language}.po has no words for {key!r}")
        return words.format(**values) if values else words


def read(language: str) -> Catalog:
    """The catalogue file of a language."""
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


@lru_cache(maxsize=len(LANGUAGES))
def texts(language: str) -> Texts:
    """The catalogue of one of LANGUAGES, read once."""
    return Texts(language, read(language))


def best(wanted: str | None) -> str | None:
    """The language that serves a tag such as "zh-Hans-CN" or "en_GB"; None when none does."""
    head = (wanted or "").replace("-", "_").split("_")[0].lower()
    return next((language for language in LANGUAGES if language.split("_")[0] == head), None)
