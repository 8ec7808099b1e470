"""doctor, bundle, parked, reconcile."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import click

from services.kit.clock import SystemClock
from services.stack.commands.database import DATABASE, SERVICE, with_database
from services.stack.commands.table import columns, show
from services.stack.home import Home, StackError


@click.command(epilog="\b\nExamples:\n  kefu doctor\n  kefu doctor --json")
@click.option("--json", "machine", is_flag=True, help="For machines.")
def doctor(*, machine: bool) -> None:
    """Say what is wrong with the local stack, and what to do about it. Exit code 1 when something is."""
    from services.stack import doctor as rules

    findings = rules.examine(Home.find())
    if machine:
        show([finding.plain() for finding in findings])
    else:
        click.echo(columns([("", "what", "how it is"), *((one.state, one.topic, one.words) for one in findings)]))
        for one in findings:
            if one.remedy:
                click.echo(f"→ {one.topic}: {one.remedy}")
    if any(one.state == rules.WRONG for one in findings):
        raise SystemExit(1)


@click.command(epilog="\b\nExamples:\n  kefu bundle\n  kefu bundle --out /tmp/kefu.tar.gz")
@click.option("--out", type=click.Path(path_type=Path), help="File to write; by default kefu-bundle-<time>.tar.gz.")
def bundle(*, out: Path | None) -> None:
    """Collect versions, status, findings and logs into one file, without secrets or personal data."""
    from services.stack import bundle as rules

    target = out or Path(f"kefu-bundle-{SystemClock().now():%Y%m%d-%H%M%S}.tar.gz")
    click.echo(f"wrote {rules.write(Home.find(), target)}; look into it before you send it")


@click.group()
def parked() -> None:
    """Work that failed five times: events that a consumer could not handle, timers that could not fire."""


@parked.command("list", epilog="\b\nExamples:\n  kefu parked list intake\n  kefu parked list intake --json")
@SERVICE
@DATABASE
@click.option("--json", "machine", is_flag=True, help="For machines.")
def list_parked(service: str, database: str | None, *, machine: bool) -> None:
    """List what is parked at a service, oldest first."""
    from services.kit import parked as work

    items = with_database(service, database, work.list_parked)
    if machine:
        show([dict(zip(one.__slots__, (getattr(one, name) for name in one.__slots__), strict=True)) for one in items])
        return
    rows = [
        (one.consumer, one.item_id, one.subject, str(one.tries), f"{one.parked_at.astimezone(UTC):%F %T}", one.error)
        for one in items
    ]
    click.echo(columns([("consumer", "item", "subject", "tries", "parked (UTC)", "error"), *rows]))
    click.echo(f"{len(rows)} parked" + (f"; try again with `kefu parked retry {service} --all`" if rows else ""))


@parked.command(
    epilog="\b\nExamples:\n  kefu parked retry intake --all\n  kefu parked retry intake timers SITE/ID/next"
)
@SERVICE
@click.argument("consumer", required=False)
@click.argument("item", required=False)
@click.option("--all", "everything", is_flag=True, help="Everything that is parked at the service.")
@DATABASE
def retry(service: str, consumer: str | None, item: str | None, database: str | None, *, everything: bool) -> None:
    """Give one parked item, or all of them, five more tries."""
    from services.kit import parked as work
    from services.kit.db import Database

    if everything == bool(consumer and item):
        raise click.UsageError("name CONSUMER and ITEM, or give --all")

    async def again(opened: Database) -> int:
        if everything:
            found = [(one.consumer, one.item_id) for one in await work.list_parked(opened)]
        else:
            found = [(str(consumer), str(item))]
        return sum([await work.retry(opened, *one) for one in found])

    number = with_database(service, database, again)
    click.echo(f"{number} given five more tries")
    if not number and not everything:
        raise StackError(f"nothing is parked at {service} under {consumer} {item}; see `kefu parked list {service}`")


@click.command(epilog="\b\nExamples:\n  kefu reconcile intake\n  kefu reconcile staffing --nats nats://…")
@SERVICE
@DATABASE
@click.option("--nats", "nats_url", envvar="KEFU_NATS_URL", help="NATS URL; by default the local stack's.")
def reconcile(service: str, database: str | None, nats_url: str | None) -> None:
    """Compare a service's outbox with the event stream, and publish again what the stream has lost."""
    from services.kit import bus
    from services.kit.db import Database
    from services.kit.embedded import EmbeddedNats
    from services.kit.reconcile import reconcile as compare

    url = nats_url or EmbeddedNats(Home.find().nats).url

    async def run(opened: Database) -> int:
        async with bus.connected(url, "kefu-reconcile") as link:
            await bus.ensure_stream(link.jetstream)
            return await compare(opened, link)

    number = with_database(service, database, run)
    click.echo(f"{service}: {number} events were missing and are published again" if number else f"{service}: complete")
