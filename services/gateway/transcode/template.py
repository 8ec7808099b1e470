"""Path templates of google.api.http: `/v1/{name=sites/*/conversations/*}:close`.

Grammar (google/api/http.proto): segments of literals, `*`, `**` and `{field.path=segments}`, then an optional `:verb`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_VARIABLE: Final = re.compile(r"\{([a-z][a-z0-9_.]*)(?:=([^{}]+))?\}")
_VERB: Final = re.compile(r":([A-Za-z][A-Za-z0-9]*)$")
_SEGMENT: Final = {"*": "[^/:]+", "**": "[^:]+"}


class TemplateError(ValueError):
    """A contract's path template cannot be used."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: `fields` are the request fields that the path fills, in order of the pattern's groups."""

    text: str
    fields: tuple[str, ...]
    verb: str
    segments: int
    pattern: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Parse; raises TemplateError for anything outside the grammar."""
        if not text.startswith("/"):
            raise TemplateError(f"{text}: a path begins with /")
        verb = _VERB.search(text)
        path = text[: verb.start()] if verb else text
        fields: list[str] = []
        pattern, position = "", 0
        for variable in _VARIABLE.finditer(path):
            pattern += _literal(path[position : variable.start()], text)
            fields.append(variable[1])
            pattern += f"({'/'.join(_segment(part, text) for part in (variable[2] or '*').split('/'))})"
            position = variable.end()
        pattern += _literal(path[position:], text)
        expanded = _VARIABLE.sub(lambda one: one[2] or "*", path)
        segments = -1 if "**" in expanded else expanded.count("/")
        suffix = f":{verb[1]}" if verb else ""
        return cls(text, tuple(fields), verb[1] if verb else "", segments, re.compile(pattern + suffix))

    def match(self, path: str) -> tuple[str, ...] | None:
        """The values of `fields` when the path fits, else None."""
        found = self.pattern.fullmatch(path)
        return None if found is None else found.groups()

    def openapi(self) -> tuple[str, list[tuple[str, str]]]:
        """The path as OpenAPI writes it, and its parameters as (name, field).

        OpenAPI parameters cannot hold a slash, so `{name=sites/*/people/*}` becomes `sites/{site}/people/{person}`:
        each star is named after the collection before it.
        """
        parameters: list[tuple[str, str]] = []

        def expand(variable: re.Match[str]) -> str:
            parts = (variable[2] or "*").split("/")
            for place, part in enumerate(parts):
                if part in _SEGMENT:
                    before = parts[place - 1] if place else variable[1].replace(".", "_")
                    name = _unique(singular(before), {used for used, _ in parameters})
                    parameters.append((name, variable[1]))
                    parts[place] = f"{{{name}}}"
            return "/".join(parts)

        return _VARIABLE.sub(expand, self.text), parameters


def singular(collection: str) -> str:
    """The name of one member of a collection: "sites" → "site", "people" → "person", "followUps" → "followUp"."""
    if collection == "people":
        return "person"
    if collection.endswith("ies"):
        return collection[:-3] + "y"
    return collection.removesuffix("s")


def _unique(name: str, used: set[str]) -> str:
    number = 2
    chosen = name
    while chosen in used:
        chosen, number = f"{name}{number}", number + 1
    return chosen


def _segment(part: str, text: str) -> str:
    return _SEGMENT.get(part) or _literal(part, text)


def _literal(part: str, text: str) -> str:
    if any(character in part for character in "{}*:"):
        raise TemplateError(f"{text}: {part!r} is outside the grammar of google.api.http")
    return re.escape(part)
