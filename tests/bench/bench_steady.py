"""`make bench-steady`: three hundred durable messages a second for half an hour, with worker and relay running.

Open loop: a call is due every 1/300 s whatever became of the others, and lateness counts as latency.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import uvloop

from tests.bench.bench_intake import STEADY_P99_MS, STEADY_PER_SECOND
from tests.bench.intake_load import Load, client
from tests.bench.intake_processes import prepare, process, stack
from tests.bench.memory import LOADED_MIB, resident
from tests.bench.report import Report, quick

SECONDS = 30.0 if quick() else 1_800.0


async def run(folder: Path) -> bool:
    """The figures; whether all hold."""
    report = Report("steady")
    async with stack(folder) as given:
        with process("intake", str(folder)) as (port, pid), process("work", str(folder)) as (_, worker):
            about = await prepare(folder, given["nats"], port)
            flow = client(folder, Load(port, SECONDS, "append", about, rate=STEADY_PER_SECOND))
            report.add("minutes", SECONDS / 60, "min")
            report.add("AppendMessage", flow["rate"], "calls/s", at_least=0.999 * STEADY_PER_SECOND)
            report.add("p50", flow["p50"], "ms")
            report.add("p99", flow["p99"], "ms", at_most=STEADY_P99_MS)
            report.add("failures", flow["failures"], "calls", at_most=0)
            report.add("server, memory at the end", resident(pid), "MiB", at_most=LOADED_MIB)
            report.add("worker, memory at the end", resident(worker), "MiB", at_most=LOADED_MIB)
    return report.finish()


def main() -> int:
    """Entry point."""
    folder = Path(tempfile.mkdtemp(prefix="kefu-bench-"))
    try:
        return 0 if uvloop.run(run(folder)) else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
