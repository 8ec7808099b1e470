"""CPU time by process: what a busy machine disturbs less than rates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psutil


def stack_pids(folder: Path) -> dict[str, int]:
    """Return the pids of a benchmark's PostgreSQL and NATS by name."""
    postmaster = (folder / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0]
    return {"PostgreSQL": int(postmaster), "NATS": int((folder / "nats" / "pid").read_text())}


def used(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the CPU seconds so far of processes, their children included."""
    return {name: _of_tree(pid) for name, pid in pids.items()}


def _of_tree(pid: int) -> float:
    total = 0.0
    process = psutil.Process(pid)
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
