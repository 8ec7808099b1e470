"""`kefu import orders`, `kefu crm audit`, `kefu crm report`: purchase histories in, figures out."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.stack.commands.database import DATABASE, with_database
from services.stack.commands.staff import people
from services.stack.commands.table import columns, show
from services.stack.home import Home, StackError
from services.stack.processes import PROFILES as BUNDLED

if TYPE_CHECKING:
    from services.crm.app import Parts
    from services.crm.queries.report import Report
    from services.kit.db import Database

SERVICE = "crm"
ACTOR = "import"
SITE = click.option("--site", required=True, help="Id of the site.")
PROFILES = click.option(
    "--profiles", envvar="KEFU_PROFILES", type=click.Path(path_type=Path), default=BUNDLED, help="Folder of profiles."
)
MACHINE = click.option("--json", "machine", is_flag=True, help="For machines.")
MAPPING_HELP = """
\b
The mapping says which column is what:
  order=, time=, quantity=, price=    required; the price is that of one piece
  line=                               id of the line; without it the occurrence within the order counts
  buyer=                              id of the buyer; a row without one is kept as an anonymous sale
  product=, refund_of=                name of the product; the order that a return belongs to
  currency=GBP                        a code for the whole file, or a column; CNY unless given
  return_prefix=C                     orders whose number begins so came back

\b
Examples:
  kefu import orders online_retail.csv.gz --site taobao-shop --mapping \\
    order=InvoiceNo,time=InvoiceDate,quantity=Quantity,price=UnitPrice,buyer=CustomerID,\\
    product=StockCode,currency=GBP,return_prefix=C
  kefu import orders more.csv --site taobao-shop --mapping … --bad refused.csv --json

\b
A second run goes on where the first one ended; a third one changes nothing. Exit code 0 also when rows were refused:
they are counted by rule, and --bad lists them.
"""


@click.group("import")
def import_() -> None:
    """Take data of other systems over."""


import_.add_command(people)


@import_.command("orders", epilog=MAPPING_HELP)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@SITE
@click.option("--mapping", required=True, help="FIELD=COLUMN,… as below.")
@click.option("--source", default="SHOP", show_default=True, help="The shop system; a channel of identities.")
@click.option("--bad", type=click.Path(path_type=Path), help="Write the refused rows here as CSV.")
@click.option("--sealing-keys", envvar="KEFU_SEALING_KEYS", type=click.Path(path_type=Path), help="Key file.")
@PROFILES
@DATABASE
@MACHINE
def orders(
    file: Path,
    *,
    site: str,
    mapping: str,
    source: str,
    bad: Path | None,
    sealing_keys: Path | None,
    profiles: Path,
    database: str | None,
    machine: bool,
) -> None:
    """Import a purchase history, CSV or CSV.gz: every row is stored once, refused with a reason, or kept as it was."""
    from services.crm.files.mapping import Mapping
    from services.crm.files.orders import OrderFile, identity

    columns_of = Mapping.parse(mapping)
    keys = sealing_keys or Home.find().sealing_keys

    async def run(opened: Database) -> dict[str, Any]:
        from services.crm.commands.imports import Import

        parts = _parts(opened, keys, profiles)
        profile = parts.profiles.at(site, opened.clock.now())
        taken = Import(
            opened,
            parts.orders,
            parts.tiers,
            parts.profiles,
            site=site,
            source=source,
            import_id=identity(file, columns_of),
            actor=ACTOR,
        )
        opened_file = OrderFile(file, columns_of, profile.timezone)
        try:
            with _bar(opened_file.size, file.name, quiet=machine) as bar:
                done = await taken.run(opened_file, file.name, progress=lambda: bar(opened_file.position))
        finally:
            opened_file.close()
        return asdict(done) | {"refusals": await taken.refusals()}

    _print_import(with_database(SERVICE, database, run), bad, machine=machine)


@click.group()
def crm() -> None:
    """Customers: does the ledger add up, and how are relations."""


@crm.command(epilog="\b\nExamples:\n  kefu crm audit\n  kefu crm audit --site taobao-shop --json")
@click.option("--site", default="", help="Only this site.")
@DATABASE
@MACHINE
def audit(*, site: str, database: str | None, machine: bool) -> None:
    """Check that no point was lost or made up: issued = active + pending + spent + expired + reversed, by site and in
    total, and every lot against its transfers. Exit code 1 when it does not add up."""
    from services.crm.queries.audit import Account
    from services.crm.queries.audit import audit as check

    found = with_database(SERVICE, database, lambda opened: check(opened, site))
    names = [name for name in Account.__slots__ if name != "site"]
    total = Account("*", *(sum(getattr(one, name) for one in found) for name in names))
    rows = [*found, total]
    if machine:
        show([asdict(one) | {"balanced": one.balanced} for one in rows])
    else:
        cells = [[one.site, *(f"{getattr(one, name):,}" for name in names), _yes(one.balanced)] for one in rows]
        click.echo(columns([["site", *(name.replace("_", " ") for name in names), "adds up"], *cells]))
    if not all(one.balanced for one in rows):
        raise SystemExit(1)


@crm.command(epilog="\b\nExamples:\n  kefu crm report --site taobao-shop --from 2011-01-01 --to 2011-12-09")
@SITE
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First day; a year before the last one.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Last day; today unless given.")
@PROFILES
@DATABASE
@MACHINE
def report(
    *, site: str, first: datetime | None, last: datetime | None, profiles: Path, database: str | None, machine: bool
) -> None:
    """Tier sizes and moves, repurchase rate, returning share, conversion of new customers, and who is lost."""

    async def run(opened: Database) -> Report:
        from services.crm.queries.report import report as work_out

        now = opened.clock.now()
        profile = _profiles(profiles).at(site, now)
        last_day = last.date() if last else now.astimezone(profile.timezone).date()
        first_day = first.date() if first else last_day - timedelta(days=364)
        if last_day < first_day:
            raise StackError(f"the period ends on {last_day}, before it begins on {first_day}: look at --from and --to")
        return await work_out(opened, profile, first_day=first_day, last_day=last_day)

    found = with_database(SERVICE, database, run)
    if machine:
        show(asdict(found))
        return
    click.echo(
        f"{found.site}, {found.first_day} to {found.last_day}:"
        f" {found.customers:,} customers, of whom {found.buyers:,} bought\n"
    )
    _table(["tier now", "customers"], [[tier, f"{number:,}"] for tier, number in found.tiers.items()])
    _table(
        ["from", "to", "cause", "moves"],
        [[one, other, cause, f"{number:,}"] for one, other, cause, number in found.moves],
    )
    shares = asdict(found.indicators)
    complaints = shares.pop("complaints")
    _table(
        ["share", "of", "95 % interval"],
        [[name.replace("_", " "), *_share(one)] for name, one in shares.items()],
    )
    _table(
        ["standing", "by rhythm", "by the plain rule"],
        [
            [name, f"{found.lifecycles.get(name, 0):,}", f"{found.by_rule.get(name, 0):,}"]
            for name in ("NEW", "REPEAT", "OLD", "DORMANT", "LOST")
        ],
    )
    click.echo(f"complaints: {complaints}")


def _profiles(folder: Path) -> Any:
    from services.crm.profiles import SiteProfiles
    from services.policy.versions import Profiles

    read = Profiles(folder)
    return SiteProfiles(lambda: read.current)


def _parts(opened: Database, keys: Path, profiles: Path) -> Parts:
    from prometheus_client import CollectorRegistry

    from services.crm.app import Parts
    from services.crm.metrics import CrmMetrics
    from services.kit.crypto import CryptoError, Keys, Vault
    from services.kit.telemetry.metrics import Metrics

    try:
        vault = Vault(Keys.read(keys))
    except CryptoError as error:
        raise StackError(f"{error}; give --sealing-keys, the file that crm runs with") from error
    metrics = CrmMetrics(Metrics.from_catalogue(CollectorRegistry(), owners=[SERVICE]))
    return Parts(opened, vault, _profiles(profiles), metrics)


def _bar(size: int, name: str, *, quiet: bool) -> Any:
    """A bar over the file's bytes on a terminal, nothing elsewhere; gives a function to call with the position."""
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    @contextmanager
    def shown() -> Any:
        console = Console(stderr=True)
        parts = (TextColumn(name), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
        with Progress(*parts, console=console, disable=quiet or not console.is_terminal) as progress:
            task = progress.add_task(name, total=size)
            yield lambda position: progress.update(task, completed=position)

    return shown()


def _print_import(done: dict[str, Any], bad: Path | None, *, machine: bool) -> None:
    from services.crm.domain.orders import MESSAGES

    refusals = done.pop("refusals")
    if bad is not None:
        with bad.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(
                [("row", "rule", "what to do"), *((row, rule, MESSAGES[rule][1]) for row, rule in refusals)]
            )
    rules = Counter(rule for _, rule in refusals)
    if machine:
        show(done | {"rules": rules, "refusals": [{"row": row, "rule": rule} for row, rule in refusals]})
        return
    click.echo(
        f"{done['rows_done']:,} rows: {done['stored']:,} stored,"
        f" {done['repeated']:,} repeated, {done['refused']:,} refused"
    )
    if rules:
        _table(
            ["rule", "rows", "what to do"],
            [[rule, f"{number:,}", MESSAGES[rule][1]] for rule, number in rules.most_common()],
        )
        click.echo(f"the refused rows are in {bad}" if bad else "list them with --bad FILE or --json")


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    click.echo(columns([list(heading), *(list(row) for row in rows)]))


def _share(interval: dict[str, float] | None) -> tuple[str, str]:
    if interval is None:
        return "–", "nobody in the period"
    return f"{interval['estimate']:.1%}", f"{interval['low']:.1%} – {interval['high']:.1%}"


def _yes(holds: bool) -> str:
    return "yes" if holds else "NO"
