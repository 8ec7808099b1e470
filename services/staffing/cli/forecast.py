"""`kefu forecast`: contacts and handling times of the days ahead, from a history in a CSV file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from services.staffing import calendars
from services.staffing.calendars import CalendarUnknownError
from services.staffing.domain.forecast.model import HistoryTooShortError
from services.staffing.domain.forecast.outlook import Outlook, outlook
from services.staffing.files import events as events_file
from services.staffing.files import history as history_file
from services.staffing.files.history import Series
from services.staffing.files.table import FileRefusedError

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
MOST_DAYS: Final = 92
EPILOG = """
\b
The history has a heading and a line per interval, 15 minutes or shorter, local time:
  start,site,queue,contacts,handling_seconds
  2026-11-02 09:00,online-desk,GENERAL,34,215
Only a time (start, DateTime …) and a number (contacts, calls, offered …) are needed. An interval without a line
is one without contacts; a day without lines was closed. A file that ends within a day updates that day.

\b
Events known in advance, past ones (their effect is learnt) and coming ones:
  kind,start,end,lift
  live,2026-11-11 20:00,2026-11-11 23:00,1.8

\b
Examples:
  kefu forecast --history calls.csv --horizon 10d
  kefu forecast --history calls.csv --horizon 14d --calendar CN --events events.csv --json
"""


@click.command(epilog=EPILOG)
@click.option("--history", "file", type=FILE, required=True, help="CSV of what came.")
@click.option("--horizon", default="10d", show_default=True, help="Open days ahead, e.g. 10d; at most 92d.")
@click.option(
    "--calendar",
    default=calendars.AUTO,
    show_default=True,
    help="Public holidays: an ISO code (CN, with exchanged working days, US …), none, or auto: found from closed days.",
)
@click.option("--events", "events", type=FILE, help="CSV of promotions, live sessions and the like.")
@click.option("--quantiles", default="0.1,0.5,0.9", show_default=True, help="Shares between 0 and 1.")
@click.option("--interval", type=click.IntRange(5, 60), default=15, show_default=True, help="Minutes of an interval.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def forecast(
    file: Path, horizon: str, calendar: str, events: Path | None, quantiles: str, interval: int, as_json: bool
) -> None:
    """Forecast contacts and handling times by interval, with quantiles, and show how such forecasts did before."""
    days, shares = _days(horizon), _shares(quantiles)
    try:
        known = events_file.read(events) if events else []
        series = history_file.read(file, interval)
        found = []
        for one in series:
            kinds, name = calendars.kinds(calendar, one.history.days, days)
            view = outlook(one.history, days, kinds=kinds, today=one.today, events=known, shares=shares)
            found.append((one, name, view))
    except (FileRefusedError, CalendarUnknownError, HistoryTooShortError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"series": [document(*one, shares) for one in found]}, ensure_ascii=False))
        return
    for one, name, view in found:
        show(one, name, view)


def document(series: Series, calendar: str, view: Outlook, shares: tuple[float, ...]) -> dict[str, object]:
    """One queue for machines."""
    return {
        "site": series.site,
        "queue": series.queue,
        "calendar": calendar,
        "interval_minutes": series.history.minutes,
        "history": {"from": str(series.history.days[0]), "to": str(series.history.days[-1])},
        "updated_today": str(series.today.day) if series.today else None,
        "accuracy": [
            {
                "days_ahead": one.lag,
                "tested_days": one.days,
                "wape_percent": round(one.wape, 3),
                "plain_wape_percent": {name: round(value, 3) for name, value in one.plain.items()},
                "inside_80_percent": round(one.covered, 1),
            }
            for one in view.accuracy
        ],
        "intervals": [
            {
                "start": one.start.isoformat(),
                "mean": round(one.mean, 3),
                "quantiles": {f"{share:g}": value for share, value in zip(shares, one.quantiles, strict=True)},
                "handling_seconds": None if one.handling is None else round(one.handling, 1),
            }
            for one in view.intervals
        ],
    }


def show(series: Series, calendar: str, view: Outlook) -> None:
    """One queue for people: a line a day, then the accuracy of such forecasts."""
    console = Console()
    history = series.history
    console.print(
        f"{series.site} · {series.queue}: {len(history.days)} open days {history.days[0]} – {history.days[-1]},"
        f" calendar {calendar}",
        highlight=False,
    )
    days = Table("day", "contacts", "busiest", "contacts then", "handling s")
    for day in dict.fromkeys(one.start.date() for one in view.intervals):
        ofday = [one for one in view.intervals if one.start.date() == day]
        top, total = max(ofday, key=lambda one: one.mean), sum(one.mean for one in ofday)
        work = [one.handling * one.mean for one in ofday if one.handling is not None]
        handling = f"{sum(work) / total:.0f}" if work else "–"
        days.add_row(f"{day} {day:%a}", f"{total:,.0f}", f"{top.start:%H:%M}", f"{top.mean:,.0f}", handling)
    console.print(days)
    table = Table("days ahead", "error %", "best plain forecast", "its error %", "inside 80 % interval")
    for row in view.accuracy:
        name = min(row.plain, key=lambda one: row.plain[one])
        cells = (f"{row.wape:.2f}", name, f"{row.plain[name]:.2f}", f"{row.covered:.0f} %")
        table.add_row(str(row.lag), *cells)
    console.print(table if view.accuracy else "Too short a history to test on: 36 open days or more show the accuracy.")


def _days(horizon: str) -> int:
    found = re.fullmatch(r"(\d{1,2})d", horizon.strip())
    if not found or not 1 <= int(found[1]) <= MOST_DAYS:
        raise click.BadParameter(f"{horizon!r} is not a number of days such as 10d, 1d to {MOST_DAYS}d")
    return int(found[1])


def _shares(text: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        shares = ()
    if not shares or not all(0 < share < 1 for share in shares):
        raise click.BadParameter(f"{text!r} is not a list of shares such as 0.1,0.5,0.9")
    return shares
