"""Every day of a call log, replayed one after the other, into docs/replay.md.

    python -m services.stack.weeks CALLS [--site SITE] [--keep FOLDER] [--doc FILE]

A day that is kept already is not replayed again, so that an interrupted run goes on where it stopped; a day belongs to
the log, site, seed, profile and code that made it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import click

from services.simulate import calllog, patience
from services.simulate.report import TOLERANCE
from services.stack.processes import PROFILES, ROOT
from services.stack.replay import replay

# A day with fewer calls is a short one: the centre closes early on the eve of the day of rest and opens late on it.
FULL_DAY = 1_000
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


@click.command()
@click.argument("calls", type=click.Path(path_type=Path, exists=True))
@click.option("--site", default="call-centre", show_default=True, help="Site whose rules judge the calls.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same decisions.")
@click.option("--keep", default=Path(".kefu/replay"), type=click.Path(path_type=Path), help="Folder of finished days.")
@click.option("--doc", default=ROOT / "docs" / "replay.md", type=click.Path(path_type=Path), help="Page to write into.")
def weeks(calls: Path, site: str, seed: int, keep: Path, doc: Path) -> None:
    """Replay every day of a call log and put the figures into the page. Exit code 1 when something was lost."""
    log = calllog.read(calls)
    fitted = patience.fit(log.calls)
    keep = keep / made_by(calls, site, seed)
    keep.mkdir(parents=True, exist_ok=True)
    reports = []
    for day in log.days:
        file = keep / f"{day}.json"
        if not file.exists():
            done = replay(log, day, site=site, seed=seed, profiles=PROFILES, patience=fitted).plain()
            file.write_text(json.dumps(done, ensure_ascii=False))
        reports.append(json.loads(file.read_text()))
        click.echo(line(reports[-1]))
    text = doc.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    doc.write_text(f"{before}{BEGIN}\n{figures(reports)}\n{END}{after}", encoding="utf-8")
    if any(report["faults"] for report in reports):
        raise SystemExit(1)


def made_by(calls: Path, site: str, seed: int) -> str:
    """A name for everything that a day's figures depend on."""
    digest = hashlib.sha256(f"{site} {seed}".encode())
    for file in (calls, PROFILES / f"{site}.yaml", *sorted((ROOT / "services").rglob("*.py"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def line(report: dict[str, Any]) -> str:
    """One day in a line."""
    return (
        f"{report['date']}: abandonment {report['abandonment_off_points']:+.1f}, "
        f"within {report['target_s']:g} s {report['within_off_points']:+.1f} points, "
        f"{len(report['faults'])} faults, {report['seconds']:g} s"
    )


def figures(reports: Sequence[dict[str, Any]]) -> str:
    """The table of all days in Markdown, replay against log, and the sums under it."""
    head = (
        "| day | offered | abandoned, % (log) | off | answered in 30 s, % (log) | off | lost | decisions |\n"
        "|---|---:|---:|---:|---:|---:|---:|---|\n"
    )
    return head + "\n".join(_row(report) for report in reports) + "\n\n" + _sums(reports)


def _row(report: dict[str, Any]) -> str:
    ours, log = report["replay"], report["log"]
    day = date.fromisoformat(report["date"])
    full = ours["offered"] >= FULL_DAY
    return (
        f"| {day:%a} {day.isoformat()}{'' if full else ' (short)'} | {ours['offered']} "
        f"| {_gone(ours):.1f} ({_gone(log):.1f}) | {report['abandonment_off_points']:+.1f} "
        f"| {ours['within']:.1f} ({log['within']:.1f}) | {report['within_off_points']:+.1f} "
        f"| {len(report['faults'])} | `{report['decisions'][:8]}` |"
    )


def _gone(side: dict[str, Any]) -> float:
    return 100 * float(side["abandoned"]) / float(side["offered"])


def _sums(reports: Sequence[dict[str, Any]]) -> str:
    full = [report for report in reports if report["replay"]["offered"] >= FULL_DAY]
    off = [report for report in full if not report["holds"]]
    checked = {what: sum(report["checked"][what] for report in reports) for what in reports[0]["checked"]}
    lost = sum(len(report["faults"]) for report in reports)
    skipped = sum(len(report["malformed"]) for report in reports)
    outside = ", ".join(report["date"] for report in off) or "none"
    return (
        f"{len(reports)} days, {len(full)} of them full. Further than {TOLERANCE:g} points from the log: {outside}.\n"
        f"Checked: {checked['conversations']} conversations, {checked['history']} entries of history,"
        f" {checked['timers']} deadlines that had to go off; lost, doubled or early: {lost}.\n"
        f"Malformed rows skipped: {skipped}. Machine: {os.cpu_count()} cores, Python {platform.python_version()}."
    )


if __name__ == "__main__":
    weeks()
