"""Small call logs in the columns of the recorded one."""

from __future__ import annotations

from services.simulate.calllog import COLUMNS, CallLog, parse

HEADING = "\t".join(COLUMNS)


def clock(second: int) -> str:
    return f"{second // 3600}:{second % 3600 // 60:02}:{second % 60:02}"


def answered(
    number: int, *, at: int, wait: int, talk: int, server: str = "A01", kind: str = "PS", priority: int = 0
) -> str:
    queued = wait > 0
    start = at + wait
    row = [
        "AA0101", str(number), "0", str(priority), kind, "990201", clock(at - 10), clock(at), "10",
        clock(at) if queued else "0:00:00", clock(start) if queued else "0:00:00", str(wait),
        "AGENT", clock(start), clock(start + talk), str(talk), server,
    ]  # fmt: skip
    return "\t".join(row)


def hung_up(number: int, *, at: int, wait: int, kind: str = "PS") -> str:
    queued = wait > 0
    row = [
        "AA0101", str(number), "0", "0", kind, "990201", clock(at - 10), clock(at), "10",
        clock(at) if queued else "0:00:00", clock(at + wait) if queued else "0:00:00", str(wait),
        "HANG", "0:00:00", "0:00:00", "0", "",
    ]  # fmt: skip
    return "\t".join(row)


def log(*rows: str) -> CallLog:
    return parse([HEADING, *rows])
