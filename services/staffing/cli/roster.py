"""`kefu roster`: rosters with a bound that proves how good they are, and the checker that believes neither."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from services.staffing.files.table import FileRefusedError
from services.staffing.roster.check.judge import judge
from services.staffing.roster.check.verdict import UnreadableError, Verdict
from services.staffing.roster.errors import ImpossibleError

NEWS: Final = 0.01
"""Share by which a bound must grow to be worth a line."""
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
SOLVE = """
\b
Formats:
  curtois          shift scheduling, one shift a day (schedulingbenchmarks.org)
  multi-activity   shifts by quarter hours with activities
  site             a site's weeks in JSON, as a roster run keeps them

\b
Ctrl-C ends the search; the best roster so far is written and checked as at the time limit.
The file that --json writes holds the roster and the prices that prove the bound: kefu roster check reads both.

\b
Examples:
  kefu roster solve --format curtois Instance5.txt --time-limit 60 --workers 2 --json five.json
  kefu roster solve --format curtois Instance5.txt --time-limit 60 --start five.json --json better.json
  kefu roster check Instance5.txt five.json
"""
CHECK = """
\b
Shares no code with the solver: it reads both files by itself, adds up the objective by rule, names each hard
rule that is broken, and proves the bound again from the published prices.
SOLUTION is a file of kefu roster solve, or the XML of the multi-activity benchmarks.
Exit code 1 when a hard rule is broken.
"""


@click.group()
def roster() -> None:
    """Rosters with a proof of how good they are."""


@roster.command(epilog=SOLVE)
@click.argument("file", type=FILE)
@click.option(
    "--format", "name", type=click.Choice(["curtois", "multi-activity", "site"]), required=True, help="Of FILE."
)
@click.option(
    "--time-limit", "seconds", type=click.FloatRange(1, 86_400), default=600.0, show_default=True, help="Seconds."
)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes that search.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of every random choice.")
@click.option("--start", type=FILE, help="A roster to begin with.")
@click.option(
    "--json", "to", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Write the result here."
)
def solve(file: Path, name: str, seconds: float, workers: int, seed: int, start: Path | None, to: Path) -> None:
    """Find rosters of least cost for FILE, with a lower bound."""
    from services.staffing.roster.solve import Run

    try:
        run = Run(name, file, workers, seed, seconds, start)
        with closing(run.progress()) as steps:
            try:
                said = (float("inf"), float("-inf"))
                for one in steps:
                    if one.cost < said[0] or one.proved or one.bound > said[1] + NEWS * abs(one.bound):
                        said = (one.cost, one.bound)
                        click.echo(_progress(one.seconds, one.cost, one.bound), err=True)
            except KeyboardInterrupt:
                click.echo("interrupted: the best so far", err=True)
    except (FileRefusedError, UnreadableError, ImpossibleError) as error:
        raise click.ClickException(str(error)) from error
    except ValueError as error:
        raise click.ClickException(f"{start}: {error}") from error
    if run.best.rosters is None:
        raise click.ClickException(
            f"no roster within {seconds:g} s; the bound is {run.best.bound:g}: give it more time"
        )
    run.write(to)
    verdict = judge(file, to)
    _show(verdict)
    click.echo(f"{run.best.seconds:.1f} s, {workers} workers, seed {seed}, written to {to}")
    if verdict.broken:
        sys.exit(1)


@roster.command(epilog=CHECK)
@click.argument("file", type=FILE)
@click.argument("solution", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def check(file: Path, solution: Path, as_json: bool) -> None:
    """Judge the rosters in SOLUTION for the problem in FILE."""
    try:
        verdict = judge(file, solution)
    except UnreadableError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(_document(verdict)))
    else:
        _show(verdict)
    if verdict.broken:
        sys.exit(1)


def _document(verdict: Verdict) -> dict[str, Any]:
    return {
        "objective": verdict.total,
        "objective_by_rule": dict(verdict.objective),
        "feasible": not verdict.broken,
        "broken": list(verdict.broken),
        "bound": verdict.bound,
        "proved_at_least": verdict.proved,
        "gap": verdict.gap,
    }


def _progress(seconds: float, cost: float, bound: float) -> str:
    gap = f"{100 * (cost - bound) / max(cost, 1):.2f} %" if cost < float("inf") else "–"
    return f"{seconds:8.1f} s   best {cost:g}   bound {bound:.2f}   gap {gap}"


def _show(verdict: Verdict) -> None:
    table = Table("rule", "cost")
    table.columns[1].justify = "right"
    for rule, cost in verdict.objective.items():
        table.add_row(rule, str(cost))
    table.add_section()
    table.add_row("objective", str(verdict.total))
    if verdict.bound is not None and verdict.gap is not None:
        table.add_row("bound, proved again by the checker", f"{verdict.bound:.3f}, so {verdict.proved}")
        table.add_row("gap", "none: optimal" if verdict.gap == 0 else f"{100 * verdict.gap:.2f} %")
    console = Console()
    console.print(table)
    if not verdict.broken:
        console.print("every hard rule is kept")
    for words in verdict.broken:
        console.print(f"broken: {words}", highlight=False, markup=False)
