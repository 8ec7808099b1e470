"""What processes hold in memory."""

from __future__ import annotations

import psutil

MIB = 1024 * 1024
IDLE_MIB, LOADED_MIB = 120.0, 300.0


def resident(pid: int) -> float:
    """Memory in MiB of a process and all it has started (a web server's workers), what they share counted once."""
    process = psutil.Process(pid)
    return sum(one.memory_full_info().pss for one in (process, *process.children(recursive=True))) / MIB
