"""`kefu staff`: how many people a promise takes, what a number of people achieves, and how far to trust either."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from services.staffing.cli.shares import percent, seconds
from services.staffing.domain.sizing.answer import Answer, answer
from services.staffing.domain.sizing.erlang import Load
from services.staffing.domain.sizing.plan import Row, plan
from services.staffing.domain.sizing.size import DEFINITIONS, People, Target, TargetUnreachableError
from services.staffing.domain.sizing.validation import SHARES, WITHIN, Comparison, compare, draw
from services.staffing.files import requirement
from services.staffing.files.table import FileRefusedError

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
EPILOG = """
\b
A service level has three meanings; a figure without its name says little:
  offered    answered in time, of all who came (those who left count against you)
  answered   answered in time, of those who were answered
  any        out of the queue in time, answered or gone (looks best while customers leave)

\b
Examples:
  kefu staff size --contacts 100 --interval 30m --handling 180 --patience 300 --target 80 --within 20
  kefu staff size --contacts 100 --interval 30m --handling 180 --most-occupied 85 --shrinkage 30
  kefu staff size --contacts 60 --handling 600 --patience 120 --concurrency 3 --present 8      what do eight achieve?
  kefu staff size --file forecast.csv --handling 200 --patience 120 --json               a day by interval and skill

\b
FILE has a heading and a line per interval and skill:
  start,skill,contacts,handling_seconds
  2026-11-26 09:00,GENERAL,34,215
"""


@click.group()
def staff() -> None:
    """People needed for a service level, each answer simulated."""


@staff.command("size", epilog=EPILOG)
@click.option("--contacts", type=click.FloatRange(min=0), help="Contacts in one interval.")
@click.option("--file", "file", type=FILE, help="CSV of intervals instead.")
@click.option(
    "--interval", type=seconds(), default="15m", show_default=True, help="Length of an interval: 900, 15m, 1h."
)
@click.option("--handling", type=seconds(), default="180", show_default=True, help="Mean handling time, as measured.")
@click.option("--patience", type=seconds(), help="Mean patience; without it nobody ever leaves (Erlang C).")
@click.option("--cv2", type=click.FloatRange(0, 10), default=1.0, show_default=True, help="cv² of the handling time.")
@click.option("--target", type=percent(), default="80", show_default=True, help="Service level, %.")
@click.option("--within", type=seconds(), default="20", show_default=True, help="Answered within.")
@click.option(
    "--of", "definition", type=click.Choice(DEFINITIONS), default="offered", show_default=True, help="Of whom."
)
@click.option("--most-abandoned", type=percent(), default="100", help="At most so many leave, %.")
@click.option("--most-occupied", type=percent(), default="100", help="Occupancy at most, %.")
@click.option("--shrinkage", type=percent(), default="0", show_default=True, help="Paid time away from customers, %.")
@click.option(
    "--concurrency", type=click.IntRange(1, 20), default=1, show_default=True, help="Contacts at a time each."
)
@click.option("--present", type=click.IntRange(1, 100_000), help="Judge so many people instead of sizing.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def size_command(
    contacts: float | None,
    file: Path | None,
    interval: float,
    handling: float,
    patience: float | None,
    cv2: float,
    target: float,
    within: float,
    definition: str,
    most_abandoned: float,
    most_occupied: float,
    shrinkage: float,
    concurrency: int,
    present: int | None,
    as_json: bool,
) -> None:
    """The smallest number of people that keeps every promise, or what --present people achieve."""
    if (contacts is None) == (file is None):
        raise click.UsageError("name either --contacts or --file")
    if shrinkage >= 1:
        raise click.BadParameter("with 100 % away nobody is ever there", param_hint="--shrinkage")
    endless = math.inf if patience is None else patience
    people = People(concurrency, shrinkage)
    try:
        promise = Target(target, within, definition, most_abandoned, most_occupied)
        if file is not None:
            rows = plan(
                [(one.start, one.skill, one.contacts, one.handling or handling) for one in requirement.read(file)],
                interval=interval,
                patience=endless,
                spread=cv2,
                target=promise,
                people=people,
            )
            _rows(rows, definition, as_json=as_json)
            return
        load = Load.of((contacts or 0.0) / interval, handling, endless, cv2)
        _one(answer(load, promise, people, present=present), definition, as_json=as_json)
    except (TargetUnreachableError, FileRefusedError) as error:
        raise click.ClickException(str(error)) from error


@staff.command()
@click.option(
    "--cases", type=click.IntRange(1, 10_000), default=40, show_default=True, help="Random cases of the region."
)
@click.option("--contacts", type=click.IntRange(10_000), default=400_000, show_default=True, help="Simulated in each.")
@click.option("--seed", type=int, default=2, show_default=True, help="Which cases; the same seed draws the same ones.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--markdown", is_flag=True, help="As the table in docs/performance/staffing-validation.md.")
def validate(cases: int, contacts: int, seed: int, as_json: bool, markdown: bool) -> None:
    """Compare the closed forms with the simulation on random cases of the region they are offered for."""
    found = [compare(case, seed=seed + n, contacts=contacts) for n, case in enumerate(draw(cases, seed=seed))]
    if as_json:
        lines = [
            {**{name: getattr(one.case, name) for name in one.case.__slots__}, "difference_points": one.differences}
            for one in found
        ]
        click.echo(json.dumps({"cases": lines, "worst_points": max(one.worst for one in found)}))
        return
    cells_of = [_compared(one) for one in sorted(found, key=lambda one: -one.worst)]
    if markdown:
        for cells in (_COMPARED, tuple("--:" for _ in _COMPARED), *cells_of):
            click.echo(f"| {' | '.join(cells)} |")
        return
    table = Table(*_COMPARED)
    for cells in cells_of:
        table.add_row(*cells)
    Console().print(table)


_COMPARED: Final = ("at a time", "handling s", "patience s", "cv²", "within s", "occupancy", *SHARES, "standard error")


def _compared(one: Comparison) -> tuple[str, ...]:
    """One case: what it is, then the points by which the formula is above the simulation."""
    case = one.case
    numbers = (
        f"{case.slots}",
        f"{case.handling:.0f}",
        f"{case.patience:.0f}",
        f"{case.spread:.2f}",
        f"{case.within:.0f}",
    )
    points = (f"{one.differences[name]:+.2f}" for name in SHARES)
    return (*numbers, f"{one.closed.occupancy:.3f}", *points, f"{100 * one.simulated.error:.2f}")


def _one(found: Answer, definition: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_document(found, definition)))
        return
    closed, said = found.closed, found.simulated
    table = Table("", "formula", "simulated")
    for label, name in _FIGURES.items():
        value = float(getattr(closed, name))
        table.add_row(label, _figure(name, value), _figure(name, getattr(said, name)) if said else "–")
    console = Console()
    console.print(f"{found.present} people present, {found.scheduled} to schedule", highlight=False)
    console.print(table)
    if said is None:
        console.print("Not simulated: the queue grows for ever, or is far larger than the validated region.")
    for warning in found.outside:
        console.print(f"Outside the validated region: {warning}. Trust the simulated column.", highlight=False)


_FIGURES: Final = {
    "answered in time, of offered": "of_offered",
    "answered in time, of answered": "of_answered",
    "out of the queue in time, any outcome": "any_outcome",
    "abandoned": "abandoned",
    "waits at all": "waits",
    "mean wait": "wait",
    "occupancy": "occupancy",
}


def _figure(name: str, value: float) -> str:
    return f"{value:.1f} s" if name == "wait" else f"{100 * value:.2f} %"


def _document(found: Answer, definition: str) -> dict[str, object]:
    def figures(source: object) -> dict[str, float | None]:
        values = {name: float(getattr(source, name)) for name in _FIGURES.values()}
        return {name: value if math.isfinite(value) else None for name, value in values.items()}

    return {
        "present": found.present,
        "scheduled": found.scheduled,
        "service_level_of": definition,
        "formula": figures(found.closed),
        "simulated": figures(found.simulated) if found.simulated else None,
        "simulated_contacts": found.simulated.contacts if found.simulated else 0,
        "difference_points": found.difference(definition),
        "outside_validated_region": list(found.outside),
        "validated_within_seconds": list(WITHIN),
    }


def _rows(rows: list[Row], definition: str, *, as_json: bool) -> None:
    if as_json:
        lines = [
            {
                "start": row.start.isoformat(),
                "skill": row.skill,
                "erlangs": round(row.erlangs, 4),
                "present": row.present,
                "scheduled": row.scheduled,
                f"level_of_{definition}": round(row.level, 5),
                "abandoned": round(row.abandoned, 5),
                "occupancy": round(row.occupancy, 5),
                "simulated_level": None if row.simulated is None else round(row.simulated, 5),
            }
            for row in rows
        ]
        click.echo(json.dumps({"intervals": lines}, ensure_ascii=False))
        return
    heading = ("start", "skill", "erlangs", "present", "to schedule", f"level of {definition}", "simulated")
    table = Table(*heading, "abandoned", "occupancy")
    for row in rows:
        said = "–" if row.simulated is None else f"{100 * row.simulated:.1f} %"
        shares = (f"{100 * row.level:.1f} %", said, f"{100 * row.abandoned:.1f} %", f"{100 * row.occupancy:.1f} %")
        table.add_row(_clock(row.start), row.skill, f"{row.erlangs:.2f}", f"{row.present}", f"{row.scheduled}", *shares)
    Console().print(table)


def _clock(start: datetime) -> str:
    return f"{start:%m-%d %H:%M}"
