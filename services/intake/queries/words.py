"""Words to search by: the same segmentation for what is indexed and what is looked for.

PostgreSQL takes a Chinese sentence for one word, so the words are found here (jieba's dictionary, in its Rust edition
rjieba: 33 MiB once loaded, 3 µs a message) and stored as they are, without any parser of PostgreSQL's in between.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

# A longer run without a break is no word but an address or a code; its beginning finds it.
_LONGEST = 60


def words_of(*texts: str) -> list[str]:
    """Return the distinct words of texts, sorted: Chinese segmented, with the shorter words inside longer ones.

    Full-width and upper-case forms are folded; signs and spaces are no words.
    """
    return sorted({word for text in texts for word in _words(text)})


def query_of(text: str) -> str | None:
    """Return a `tsquery` that asks for all words of `text`, None when there is no word in it."""
    words = words_of(text)
    return " & ".join(_quoted(words)) if words else None


def _words(text: str) -> Iterable[str]:
    import rjieba  # here: its dictionary is a quarter of the process, and not every process meets words

    folded = unicodedata.normalize("NFKC", text).casefold()
    for piece in rjieba.cut_for_search(folded):
        if any(character.isalnum() for character in piece):
            yield piece.strip()[:_LONGEST]


def _quoted(words: Iterable[str]) -> Iterable[str]:
    for word in words:
        escaped = word.replace("\\", "\\\\").replace("'", "''")
        yield f"'{escaped}'"
