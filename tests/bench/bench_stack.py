"""`make bench-stack`: how soon `kefu up` is done, and what each process holds while little happens.

Dependencies are installed and the state is new, as for a newcomer's first `make up`; then again with the state kept.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from services.stack import control
from services.stack.home import Home
from tests.bench.bench_gateway import free_base
from tests.bench.memory import IDLE_MIB, resident
from tests.bench.report import Report, quick

START_SECONDS = 20
IDLE_SECONDS = 5 if quick() else 30
# The traffic generator and whatever watches the stack are no services.
NOT_SERVICES = ("simulator", "prometheus")


def kefu(home: Home, *words: str) -> float:
    """Run a command of the local stack; returns the seconds that it took."""
    environment = {**os.environ, "KEFU_HOME": str(home.folder), "KEFU_PORT_BASE": str(home.port_base)}
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "services.cli", *words], env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> int:
    """Start twice, look at the processes, stop."""
    report = Report("stack")
    folder = Path(tempfile.mkdtemp(prefix="kefu-bench-"))
    home = Home(folder / "home", free_base())
    try:
        report.add("kefu up, new state", kefu(home, "up"), "s", at_most=START_SECONDS)
        kefu(home, "down")
        report.add("kefu up, state kept", kefu(home, "up"), "s", at_most=START_SECONDS)
        time.sleep(IDLE_SECONDS)
        for child in control.children_of(home):
            name = str(child["name"])
            target = None if name in NOT_SERVICES else IDLE_MIB
            report.add(f"{name}, little to do", resident(int(str(child["pid"]))), "MiB", at_most=target)
    finally:
        kefu(home, "reset", "--yes")
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if report.finish() else 1


if __name__ == "__main__":
    sys.exit(main())
