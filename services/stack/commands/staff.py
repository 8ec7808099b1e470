"""`kefu import people`: the people of a site with contracts, leave, fixed days and wishes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.stack.commands.database import DATABASE, with_database
from services.stack.commands.table import columns, show
from services.stack.home import Home

if TYPE_CHECKING:
    from services.kit.db import Database

ACTOR = "import"
EPILOG = """
\b
FILE has a heading and a line per person:
  person,name,grade,skills,certified,week_hours_least,week_hours_most,mentor,leave,fixed,wishes
  chen,陈晨,SENIOR,GENERAL AFTERSALES,yes,40,44,,2026-12-24/2026-12-26,,2026-12-31=OFF*80
  sun,孙一,JUNIOR,GENERAL,no,40,40,chen,,2026-12-07=EARLY@0800,

\b
  person, name, grade, skills, week_hours_most   needed; the others may be left out
  leave    days or spans, with blanks between them
  fixed    day=shift, shift as in the site's profile with its start, or OFF
  wishes   the same, also ANY for any work, with *weight: what not keeping it costs (40 without one)

\b
A person who is there already is changed to what the line says. A second run changes nothing.
Exit code 1 when a line was refused: each is listed, the others are imported.

\b
Examples:
  kefu import people people.csv --site online-desk
  kefu import people people.csv --site online-desk --json
"""


@click.command("people", epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--site", required=True, help="Id of the site.")
@click.option("--sealing-keys", envvar="KEFU_SEALING_KEYS", type=click.Path(path_type=Path), help="Key file.")
@DATABASE
@click.option("--json", "machine", is_flag=True, help="For machines.")
def people(file: Path, *, site: str, sealing_keys: Path | None, database: str | None, machine: bool) -> None:
    """Import the people of a site: each line is taken over, or refused with its number and reason."""
    from services.kit.crypto import Keys, Vault
    from services.staffing.commands.imports import import_people
    from services.staffing.files.people import read
    from services.staffing.store.people import Store

    lines = list(read(file))
    store = Store(Vault(Keys.read(sealing_keys or Home.find().sealing_keys)))

    async def run(opened: Database) -> Any:
        return await import_people(opened, store, site=site, lines=lines, actor=ACTOR)

    done = with_database("staffing", database, run)
    if machine:
        show(asdict(done))
    else:
        click.echo(f"{done.added} added, {done.changed} changed, {done.same} as they were, {len(done.refused)} refused")
        if done.refused:
            cells = [(str(one.line), one.person, one.reason) for one in done.refused]
            click.echo(columns([("line", "person", "reason"), *cells]))
    if done.refused:
        raise SystemExit(1)
