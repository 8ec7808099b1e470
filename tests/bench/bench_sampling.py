"""A week's draw from a frozen frame of ten million recordings of 2,000 people: seconds and memory.

The draw runs in a process of its own, so that its memory is its own: open the frame, check its hash, draw five for
each person and twenty at risk, build the published record. Freezing (sort, write, hash) is reported apart, and so is
what the independent verifier takes for the same draw.
"""

from __future__ import annotations

import json
import multiprocessing
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from services.qa import verify_draw
from services.qa.domain import draw, frame, record
from tests.bench.report import Report, quick

RECORDINGS = 200_000 if quick() else 10_000_000
PEOPLE = 2_000
CHANNELS = ("WEB", "TAOBAO", "PHONE", "WECHAT")
WEEK_S = 7 * 86_400
SECRET = bytes(range(32))
ABOUT = {"site": "bench", "period_start": "2026-11-16T00:00:00.000000Z", "period_end": "2026-11-23T00:00:00.000000Z"}


def rows() -> frame.Rows:
    """Recordings as they come: people differ in how much they have to do, a tenth shows signs of trouble."""
    made = np.random.default_rng(20261116)
    load = made.gamma(4.0, size=PEOPLE)
    person = made.choice(PEOPLE, RECORDINGS, p=load / load.sum()).astype("<u4")
    return frame.Rows(
        ids=np.frombuffer(made.bytes(16 * RECORDINGS), "V16"),
        ended=made.integers(0, WEEK_S, RECORDINGS).astype("<i4"),
        unit=person,
        person=person,
        channel=made.integers(0, len(CHANNELS), RECORDINGS).astype("u1"),
        risk=np.where(made.random(RECORDINGS) < 0.1, 1, 0).astype("u1"),
    )


def freeze(path: Path) -> tuple[str, float]:
    """Write the frame; its hash and the seconds that it took."""
    people = [f"p{number:04}" for number in range(PEOPLE)]
    found = rows()
    began = time.perf_counter()
    digest = frame.write(path, ABOUT, found, units=people, people=people, channels=CHANNELS)
    return digest, time.perf_counter() - began


def peak_mib() -> float:
    """The most that this process ever held, MiB. Not ru_maxrss: that counts what its parent held as well."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def week(path: Path, digest: str, out: Path) -> None:
    """The draw, in a process of its own; writes the record and its figures."""
    began = time.perf_counter()
    opened = frame.read(path, digest)
    checked = time.perf_counter() - began
    seed = draw.seed_of(SECRET, digest)
    picks, units = draw.draw(opened, seed, 5)
    picks += draw.extras(opened, seed, 20, [pick.row for pick in picks])
    facts = record.Facts(
        kind=draw.RANDOM,
        secret=SECRET,
        committed_at="2026-11-13T00:00:00.000000Z",
        frozen_after=ABOUT["period_start"],
        per_unit=5,
        extras=20,
        rule="AGENT",
        profile_version="bench",
    )
    published = record.to_json(facts, opened, picks, units, [])
    took = time.perf_counter() - began
    (out / "DRAW.json").write_text(json.dumps(published))
    (out / "figures.json").write_text(
        json.dumps({"seconds": took, "hashing": checked, "mib": peak_mib(), "n": len(picks)})
    )


def main() -> None:
    """Freeze, draw, verify."""
    report = Report("sampling")
    with tempfile.TemporaryDirectory(dir=".") as folder:
        out = Path(folder)
        path = out / "frame"
        digest, freezing = freeze(path)
        process = multiprocessing.get_context("spawn").Process(target=week, args=(path, digest, out))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)
        told: dict[str, Any] = json.loads((out / "figures.json").read_text())
        note = f"{RECORDINGS:,} recordings, {PEOPLE:,} people, {told['n']:,} drawn"
        report.add("a week's draw", told["seconds"], "s", at_most=2.0, note=note)
        report.add("of it checking the frame's hash", told["hashing"], "s")
        report.add("peak memory of the drawing process", told["mib"], "MiB", at_most=512, note="frame pages included")
        report.add("freezing: sort, write, hash", freezing, "s", note=f"{path.stat().st_size / 2**20:,.0f} MiB")
        began = time.perf_counter()
        program = [sys.executable, "-I", verify_draw.__file__, str(out / "DRAW.json"), str(path)]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        report.add("the independent verifier", time.perf_counter() - began, "s", note=done.stdout.strip())
    report.finish()


if __name__ == "__main__":
    main()
