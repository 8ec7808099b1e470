"""`make bench-intake`: what a message costs with everything on, beside a bare echo of the same messages in one run.

AppendMessage: token, permission, rules of the contract, idempotency, life cycle, clocks, history, outbox, metrics,
traces at 1 %; customers and agents take turns, so that every second message starts a reply clock and every other stops
it. Rounds alternate with the echo's and medians count.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import uvloop

from tests.bench import cpu
from tests.bench.intake_load import Load, client, median
from tests.bench.intake_processes import drained, prepare, process, stack
from tests.bench.memory import LOADED_MIB, resident
from tests.bench.report import Report, quick

OF_ECHO, CONVERSATION_OF_ECHO, P99_OF_ECHO = 0.45, 0.10, 4.0
STEADY_PER_SECOND, STEADY_P99_MS = 300, 80.0


async def run(folder: Path) -> bool:
    """All figures; whether all hold."""
    rounds, seconds, steady = (2, 3.0, 10.0) if quick() else (5, 6.0, 60.0)
    report = Report("intake")
    async with stack(folder) as given:
        with process("echo") as (floor_port, floor_pid), process("intake", str(folder)) as (port, pid):
            with process("work", str(folder)) as _:
                about = await prepare(folder, given["nats"], port)
            pids = {"server": pid, **cpu.stack_pids(folder)}
            floors, appends = [], []
            for _ in range(rounds):
                floors.append(_with_cpu(folder, Load(floor_port, seconds, "append", about), {"server": floor_pid}))
                appends.append(_with_cpu(folder, Load(port, seconds, "append", about), pids))
            floor = median(floors)
            done = median(appends)
            report.add("bare echo at 64 in flight", floor["rate"], "calls/s")
            report.add("bare echo p50", floor["p50"], "ms")
            report.add("bare echo p99", floor["p99"], "ms")
            _add_cpu(report, "bare echo", floor)
            report.add(
                "AppendMessage at 64 in flight", done["rate"], "calls/s", floor=floor["rate"], at_least_of_floor=OF_ECHO
            )
            report.add("AppendMessage p50", done["p50"], "ms")
            report.add("AppendMessage p99", done["p99"], "ms", at_most=P99_OF_ECHO * floor["p99"])
            report.add("AppendMessage failures", done["failures"], "calls", at_most=0)
            _add_cpu(report, "AppendMessage", done)
            mixed = client(folder, Load(port, seconds, "refused", about))
            report.add("good commands failed by refused neighbours", mixed["failures"], "calls", at_most=0)
            report.add("AppendMessage beside as many refused commands", mixed["rate"], "calls/s")
            with process("work", str(folder)) as (_, worker):
                relayed = client(folder, Load(port, seconds, "append", about))
                report.add(
                    "AppendMessage with worker and relay on the same cores",
                    relayed["rate"],
                    "calls/s",
                    floor=floor["rate"],
                    note="the judged rounds leave the events for later",
                )
                await drained(given)
                whole = Load(port, max(seconds, 6.0), "whole", about)
                conversations = _with_cpu(folder, whole, {**pids, "worker": worker})
                report.add(
                    "whole conversations (open, route, take, answer, close)",
                    conversations["rate"],
                    "1/s",
                    floor=floor["rate"],
                    at_least_of_floor=CONVERSATION_OF_ECHO,
                )
                report.add("whole conversation p50", conversations["p50"], "ms")
                report.add("whole conversation failures", conversations["failures"], "calls", at_most=0)
                _add_cpu(report, "whole conversation", conversations)
                flow = client(folder, Load(port, steady, "append", about, rate=STEADY_PER_SECOND))
                report.add(f"steady for {steady:.0f} s", flow["rate"], "calls/s")
                report.add("steady p50", flow["p50"], "ms")
                report.add("steady p99", flow["p99"], "ms", note="judged over 30 minutes by bench-steady")
                report.add("steady failures", flow["failures"], "calls", at_most=0)
            report.add("server process, memory at the end", resident(pid), "MiB", at_most=LOADED_MIB)
    return report.finish()


def _with_cpu(folder: Path, load: Load, pids: Mapping[str, int]) -> dict[str, float]:
    """Run a load; its figures with the CPU milliseconds that each process spent on a step."""
    before = cpu.used(pids)
    figures = client(folder, load)
    after = cpu.used(pids)
    return figures | {f"cpu {name}": 1000 * (after[name] - before[name]) / figures["steps"] for name in after}


def _add_cpu(report: Report, what: str, figures: Mapping[str, float]) -> None:
    spent = {name: value for name, value in figures.items() if name.startswith("cpu ")}
    for name, value in spent.items():
        report.add(f"{what}, {name}", value, "ms")
    report.add(f"{what}, cpu in all", sum(spent.values()), "ms")


def main() -> int:
    """Entry point."""
    folder = Path(tempfile.mkdtemp(prefix="kefu-bench-"))
    try:
        return 0 if uvloop.run(run(folder)) else 1
    finally:
        if keep := os.environ.get("KEEP"):
            shutil.copytree(folder, keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("postgres", "nats"))
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
