"""What is wrong with a profile: every fault names file, line, path, reason and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault. `line` counts from 1; 0 where the fault is about something that the file lacks."""

    path: str
    reason: str
    write: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        """One line for people: where, why, what to write."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        end = "" if self.write.endswith("?") else "."
        return f"{where}: {self.path or 'file'}: {self.reason}. {self.write}{end}"

    def at(self, file: str, line: int) -> Fault:
        """The same fault with its place."""
        return replace(self, file=file, line=self.line or line)


class ProfileRefusedError(ValueError):
    """A profile was refused. `faults` lists everything that is wrong with it, in file order."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))
