"""The benchmark files as the checker reads them: sections of value lists, with their line numbers."""

from __future__ import annotations

from pathlib import Path

from services.staffing.roster.check.verdict import UnreadableError


def sections(path: Path) -> dict[str, list[tuple[int, list[str]]]]:
    """Values by section and line. Raises UnreadableError for text outside a section."""
    found: dict[str, list[tuple[int, list[str]]]] = {}
    current: list[tuple[int, list[str]]] | None = None
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(path, "not UTF-8 text") from error
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].strip()
        if line.startswith("SECTION_"):
            current = found.setdefault(line[len("SECTION_") :], [])
        elif line and current is None:
            raise UnreadableError(path, "values before the first section", number)
        elif line and current is not None:
            current.append((number, [value.strip() for value in line.split(",")]))
    return found
