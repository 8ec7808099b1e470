"""Sections and lines of the public benchmark files, every fault with its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.staffing.files.table import FileRefusedError


@dataclass(frozen=True, slots=True)
class Line:
    """One line of values between commas."""

    path: Path
    number: int
    values: tuple[str, ...]

    def refused(self, reason: str) -> FileRefusedError:
        """An error that names this line."""
        return FileRefusedError(self.path, self.number, reason)

    def text(self, position: int, what: str) -> str:
        """A value that must be there."""
        if position >= len(self.values) or not self.values[position]:
            raise self.refused(f"{what} is missing (value {position + 1} of the line)")
        return self.values[position]

    def whole(self, position: int, what: str, *, least: int = 0, most: int = 10_000_000) -> int:
        """A whole number within limits."""
        text = self.text(position, what)
        if not text.lstrip("-").isascii() or not text.lstrip("-").isdigit():
            raise self.refused(f"{what} is {text!r}, not a whole number")
        if not least <= int(text) <= most:
            raise self.refused(f"{what} is {text}, expected {least} to {most}")
        return int(text)


def sections(path: Path, known: Sequence[str]) -> Mapping[str, list[Line]]:
    """Read `SECTION_…` headings with their lines, without comments and empty lines. Raises FileRefusedError."""
    found: dict[str, list[Line]] = {}
    name = ""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefusedError(path, 1, "not UTF-8 text") from error
    number = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#", 1)[0].strip()
        if line.startswith("SECTION_"):
            name = line.removeprefix("SECTION_")
            if name not in known:
                raise FileRefusedError(path, number, f"unknown section {name}; known are {', '.join(known)}")
            if name in found:
                raise FileRefusedError(path, number, f"section {name} comes twice")
            found[name] = []
        elif line and not name:
            raise FileRefusedError(path, number, "values before the first SECTION_ heading")
        elif line:
            found[name].append(Line(path, number, tuple(value.strip() for value in line.split(","))))
    missing = [one for one in known if one not in found]
    if missing:
        raise FileRefusedError(path, max(number, 1), f"section {missing[0]} is missing; is it the right --format?")
    return found
