"""Reads a recorded call log, row by row; a row that makes no sense is kept apart with its line and the reason.

Columns (tab separated, one heading line): vru+line, call_id, customer_id, priority, type, date (YYMMDD),
vru_entry, vru_exit, vru_time, q_start, q_exit, q_time, outcome, ser_start, ser_exit, ser_time, server; clock times
H:MM:SS, spans in seconds. A call is identified by date, line and call_id: call_id alone repeats.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

COLUMNS = (
    "vru+line", "call_id", "customer_id", "priority", "type", "date", "vru_entry", "vru_exit", "vru_time",
    "q_start", "q_exit", "q_time", "outcome", "ser_start", "ser_exit", "ser_time", "server",
)  # fmt: skip
NEVER = "0:00:00"
DAY_SECONDS = 86_400


class LogError(ValueError):
    """The file is no call log; says why."""


class Outcome(StrEnum):
    """How a call ended."""

    AGENT = "AGENT"
    HANG = "HANG"
    PHANTOM = "PHANTOM"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the log. Times are seconds after midnight of `day`, local; spans are seconds.

    `arrival` is when the caller began to wait for a person: entry into the queue, or the end of the voice response unit
    (VRU) for one who never queued. `wait` is until somebody answered or the caller hung up. `server` is empty where the
    log does not say who answered.
    """

    line: int
    key: str
    day: date
    customer: str
    priority: int
    type: str
    outcome: Outcome
    queued: bool
    arrival: int
    wait: int
    service_start: int
    service: int
    server: str

    @property
    def left_in_vru(self) -> bool:
        """Hung up before queueing: an abandonment in the VRU, counted apart."""
        return self.outcome is Outcome.HANG and not self.queued

    @property
    def abandoned(self) -> bool:
        """Hung up while waiting for a person."""
        return self.outcome is Outcome.HANG and self.queued

    @property
    def answered(self) -> bool:
        """Served by a person."""
        return self.outcome is Outcome.AGENT


@dataclass(frozen=True, slots=True)
class Malformed:
    """A row that was skipped: its line in the file (the heading is line 1) and why."""

    line: int
    day: str
    reason: str


@dataclass(frozen=True, slots=True)
class CallLog:
    """A whole log."""

    calls: tuple[Call, ...]
    malformed: tuple[Malformed, ...] = field(default=())

    @property
    def days(self) -> tuple[date, ...]:
        """Days with calls, in order."""
        return tuple(sorted({call.day for call in self.calls}))

    def of(self, day: date) -> CallLog:
        """One day of it."""
        malformed = tuple(row for row in self.malformed if row.day == day.strftime("%y%m%d"))
        return CallLog(tuple(call for call in self.calls if call.day == day), malformed)


def read(path: Path) -> CallLog:
    """Read a log, plain or gzipped. Raises LogError when the file is missing or its heading is another one."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as fault:
        raise LogError(f"{path}: {fault}") from fault
    return parse(text.splitlines())


def parse(lines: Iterable[str]) -> CallLog:
    """Read a log from its lines."""
    rows: Iterator[list[str]] = csv.reader(lines, delimiter="\t")
    heading = next(rows, [])
    if missing := [column for column in COLUMNS if column not in heading]:
        raise LogError(f"the heading lacks {', '.join(missing)}")
    calls: list[Call] = []
    malformed: list[Malformed] = []
    seen: set[str] = set()
    for line, values in enumerate(rows, start=2):
        row = dict(zip(heading, values, strict=False))
        try:
            call = _call(line, row, len(values) == len(heading))
        except ValueError as fault:
            malformed.append(Malformed(line, row.get("date", ""), str(fault)))
            continue
        if call.key in seen:
            malformed.append(Malformed(line, row["date"], f"call {call.key} came before"))
            continue
        seen.add(call.key)
        calls.append(call)
    return CallLog(tuple(calls), tuple(malformed))


def _call(line: int, row: Mapping[str, str], whole: bool) -> Call:
    if not whole:
        raise ValueError("has another number of columns than the heading")
    try:
        outcome = Outcome(row["outcome"])
    except ValueError:
        raise ValueError(f"unknown outcome {row['outcome']!r}") from None
    queued = row["q_start"] != NEVER
    arrival = _clock(row["q_start"] if queued else row["vru_exit"], "q_start" if queued else "vru_exit")
    start = _clock(row["ser_start"], "ser_start")
    service = 0
    if outcome is Outcome.AGENT:
        # the log's ser_time of these rows is positive, but their ser_exit lies before their ser_start
        service = _clock(row["ser_exit"], "ser_exit") - start
        if service < 0:
            raise ValueError(f"negative service time: {row['ser_start']} to {row['ser_exit']}")
        # some services start a second or more before the VRU or the queue says that the caller left it
        wait = max(0, start - arrival)
    else:
        wait = max(0, _number(row["q_time"], "q_time"))
    return Call(
        line=line,
        key=f"{row['date']}-{row['vru+line']}-{row['call_id']}",
        day=_day(row["date"]),
        customer=row["customer_id"],
        priority=_number(row["priority"], "priority"),
        type=row["type"],
        outcome=outcome,
        queued=queued,
        arrival=arrival,
        wait=wait,
        service_start=start,
        service=service,
        server=row["server"],
    )


def _clock(text: str, column: str) -> int:
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise ValueError(f"{column}: {text!r} is no time")
    hours, minutes, seconds = (int(part) for part in parts)
    if hours > 24 or minutes > 59 or seconds > 59:
        raise ValueError(f"{column}: {text!r} is no time")
    return hours * 3600 + minutes * 60 + seconds


def _number(text: str, column: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{column}: {text!r} is no whole number") from None


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%y%m%d").date()  # noqa: DTZ007 - a date without time
    except ValueError:
        raise ValueError(f"date: {text!r} is no date") from None
