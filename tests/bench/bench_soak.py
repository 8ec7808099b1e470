"""`make bench-soak`: a thousand streams of live updates for ten minutes, some of which never read; memory stays flat.

The load beside them is capacity's mix. Memory is what processes share once (PSS), sampled all the time; the figure is
the median of the last third over that of the second: the first third is the warming up.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
from collections.abc import Mapping, Sequence

from tests.bench.bench_gateway import SITE, Running, mix, running
from tests.bench.capacity import listening, pids
from tests.bench.http_load import open_loop, request
from tests.bench.memory import resident
from tests.bench.report import Report, quick

STREAMS = 100 if quick() else 1_000
DEAF = 10
SECONDS = 20.0 if quick() else 600.0
CALLS = 10.0
SAMPLE_SECONDS = 5.0 if not quick() else 1.0
WATCHED = ("stream", "gateway", "intake")
MOST_GROWTH = 1.05


async def hold_deaf(stack: Running, number: int) -> list[asyncio.StreamWriter]:
    """Streams whose readers have gone to sleep: their updates pile up somewhere, but not for ever."""
    token = stack.issuer.service("bench", {SITE: frozenset({"frontend"})})
    kept = []
    for _ in range(number):
        reader, writer = await asyncio.open_connection(*stack.stream, limit=1_024)
        writer.write(request("GET", f"/v1/sites/{SITE}:watch", host=stack.host, token=token))
        await reader.readuntil(b"\r\n\r\n")
        kept.append(writer)
    return kept


async def sample(watched: Mapping[str, int], into: Mapping[str, list[float]]) -> None:
    """Note memory until cancelled."""
    while True:
        for name, pid in watched.items():
            into[name].append(await asyncio.to_thread(resident, pid))
        await asyncio.sleep(SAMPLE_SECONDS)


def growth(samples: Sequence[float]) -> float:
    """Median of the last third over that of the second."""
    third = len(samples) // 3
    return statistics.median(samples[2 * third :]) / statistics.median(samples[third : 2 * third])


async def soak(stack: Running) -> int:
    """Run and report."""
    draw, report = await mix(stack), Report("soak")
    watched = {name: pid for name, pid in pids(stack).items() if name in WATCHED}
    samples: dict[str, list[float]] = {name: [] for name in watched}
    async with listening(stack, STREAMS):
        deaf = await hold_deaf(stack, DEAF)
        watcher = asyncio.create_task(sample(watched, samples))
        outcome = await open_loop(stack.web, draw, rate=CALLS, clients=16, seconds=SECONDS)
        watcher.cancel()
        for writer in deaf:
            writer.close()
    load = f"{STREAMS} streams, {DEAF} of them deaf, {outcome.rate:.1f} calls/s for {SECONDS:.0f} s"
    for name, memory in samples.items():
        note = f"{memory[0]:.0f} MiB at first, {max(memory):.0f} at most; load {os.getloadavg()[0]:.1f}; {load}"
        report.add(f"memory of {name}, last third over second", growth(memory), "", at_most=MOST_GROWTH, note=note)
    report.add("calls failed", float(sum(outcome.failed.values())), "", at_most=0)
    return 0 if report.finish() else 1


def main() -> int:
    """Start a stack and soak it."""
    with running() as stack:
        return asyncio.run(soak(stack))


if __name__ == "__main__":
    sys.exit(main())
