"""kefu simulate: replays of recorded call logs."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from services.simulate import calllog, patience
from services.simulate import report as reports
from services.stack.commands.table import columns
from services.stack.home import StackError
from services.stack.processes import PROFILES


@click.command(epilog="\b\nExamples:\n  kefu simulate --site call-centre --calls log.tsv.gz --day 1999-02-09\n"
    "  kefu simulate --site call-centre --calls log.tsv.gz --json weeks.json")  # fmt: skip
@click.option("--site", required=True, help="Site whose rules judge the calls.")
@click.option("--calls", required=True, type=click.Path(path_type=Path, exists=True), help="Call log, .tsv or .tsv.gz.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Only this day; by default every day of the log.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Also write the reports here.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same decisions.")
@click.option("--profiles", default=PROFILES, type=click.Path(path_type=Path, exists=True), help="Site profiles.")
def simulate(site: str, calls: Path, day: datetime | None, out: Path | None, seed: int, profiles: Path) -> None:
    """Replay a recorded call log on a throwaway stack in virtual time, and print what came of it beside the log.

    Exit code 1 when the history checker finds something lost.
    """
    from services.stack.replay import replay

    try:
        log = calllog.read(calls)
    except calllog.LogError as fault:
        raise StackError(str(fault)) from fault
    fitted = patience.fit(log.calls)
    wanted = [day.date()] if day is not None else log.days
    found = []
    for one in wanted:
        report = replay(log, one, site=site, seed=seed, profiles=profiles, patience=fitted)
        found.append(report)
        _print(report)
    if out is not None:
        out.write_text(json.dumps([report.plain() for report in found], ensure_ascii=False, indent=1))
    if any(report.faults for report in found):
        raise SystemExit(1)


def _print(report: reports.DayReport) -> None:
    click.echo(f"\n{report.site}, {report.date}, seed {report.seed} ({report.seconds:g} s)\n")
    click.echo(columns([("", "replay", "log"), *reports.rows(report)]))
    for line, reason in report.malformed:
        click.echo(f"skipped line {line}: {reason}")
    checked = ", ".join(f"{number} {what}" for what, number in report.checked.items())
    click.echo(f"checked {checked}: {'nothing lost' if not report.faults else f'{len(report.faults)} faults'}")
    for fault in report.faults[:20]:
        click.echo(f"  {fault}")
    click.echo(f"decisions {report.decisions[:16]}")
