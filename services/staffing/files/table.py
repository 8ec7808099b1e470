"""CSV with a heading: columns by any of their usual names, values with the line they stand on."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path


class FileRefusedError(ValueError):
    """A file that cannot be used: which, on which line, why, and what to do."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}, line {line}: {reason}")


class Row:
    """One line, read by column."""

    def __init__(self, path: Path, line: int, values: Mapping[str, str]) -> None:
        self._path, self.line, self._values = path, line, values

    def text(self, column: str, default: str = "") -> str:
        """A value without blanks around it."""
        return self._values.get(column, "").strip() or default

    def number(self, column: str) -> float | None:
        """A number that is not negative; None for an empty one. Raises FileRefusedError."""
        text = self.text(column)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise self.refused(f"{column} {text!r} is not a number of 0 or more")
        return value

    def instant(self, column: str, *, end_of_day: bool = False) -> datetime:
        """A local date and time; a date alone is its midnight, or the one after. Raises FileRefusedError."""
        text = self.text(column).replace("/", "-")
        try:
            if len(text) == len("2026-01-31"):
                return datetime.combine(date.fromisoformat(text), time.max if end_of_day else time())
            return datetime.fromisoformat(text).replace(tzinfo=None)
        except ValueError:
            raise self.refused(f"{column} {text!r} is not a time; write 2026-01-31 09:15") from None

    def refused(self, reason: str) -> FileRefusedError:
        """The error of this line."""
        return FileRefusedError(self._path, self.line, reason)


def rows(path: Path, names: Mapping[str, tuple[str, ...]], required: tuple[str, ...]) -> Iterator[Row]:
    """Read a file; `names` gives each column's accepted headings in lower case. Raises FileRefusedError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            heading = [one.strip().lower() for one in next(reader, [])]
            columns = {name: heading.index(one) for name, known in names.items() for one in known if one in heading}
            for name in required:
                if name not in columns:
                    raise FileRefusedError(path, 1, f"no column for {name}; name it {' or '.join(names[name])}")
            for values in reader:
                if not any(value.strip() for value in values):
                    continue
                if len(values) != len(heading):
                    reason = f"{len(values)} values, the heading names {len(heading)}"
                    raise FileRefusedError(path, reader.line_num, reason)
                yield Row(path, reader.line_num, {name: values[position] for name, position in columns.items()})
    except UnicodeDecodeError as error:
        raise FileRefusedError(path, 1, "not UTF-8 text; save it as CSV UTF-8") from error
