"""backup take, list, check, restore: the local stack's; in a cluster CloudNativePG does the same."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.stack.commands.table import columns, show
from services.stack.home import Home

if TYPE_CHECKING:
    from services.stack.backup import Found

JSON = click.option("--json", "machine", is_flag=True, help="For machines.")


class Instant(click.ParamType[datetime]):
    """An instant with its offset from UTC."""

    name = "instant"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read ISO 8601; one without an offset could mean two instants."""
        if isinstance(value, datetime):
            return value
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no instant such as 2026-11-25T17:30:00+08:00", param, ctx)
        if instant.tzinfo is None:
            self.fail(f"{value!r} lacks its offset from UTC, such as +08:00 or Z", param, ctx)
        return instant


@click.group()
def backup() -> None:
    """Back this machine's stack up, prove that it can be restored, and bring it back to an instant."""


@backup.command(epilog="\b\nExamples:\n  kefu backup take --to /mnt/backup/kefu\n  kefu backup take --keep 14")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Folder of the backups, kept for later commands.")
@click.option("--keep", default=7, show_default=True, type=click.IntRange(min=1), help="Base backups to keep.")
def take(*, folder: Path | None, keep: int) -> None:
    """Copy the running PostgreSQL and verify the copy. From the first one on, what changes is archived within a minute.

    Keys and passwords (keys/, sealing.json, secrets.json in $KEFU_HOME) are not in it: keep them in another place.
    """
    from services.stack import backup as rules

    base, gone = rules.take(Home.find(), folder, keep=keep)
    click.echo(f"{base.path}: taken and verified" + (f"; {len(gone)} older deleted" if gone else ""))


@backup.command("list", epilog="\b\nExamples:\n  kefu backup list")
@JSON
def list_(*, machine: bool) -> None:
    """List the base backups. Any instant after the end of one, as far as the archive goes, can be restored."""
    from services.stack import backup as rules

    rows = [(f"{base.ended_at:%F %T}", str(base.path)) for base in rules.backups_of(Home.find()).bases()]
    if machine:
        show([{"ended_at": ended, "path": path} for ended, path in rows])
    else:
        click.echo(columns([("ended (UTC)", "folder"), *rows]))


@backup.command(epilog="\b\nExamples:\n  kefu backup check\n  kefu backup check --json    # once a night, from cron")
@JSON
def check(*, machine: bool) -> None:
    """Restore the newest backup beside the stack, read every row of it, and delete it again. Nothing is changed."""
    from services.stack import backup as rules

    _tell(rules.check(Home.find()), machine=machine)


@backup.command(
    epilog="\b\nExamples:\n  kefu down && kefu backup restore --to 2026-11-25T17:30:00+08:00 && kefu up\n"
    "  kefu backup restore --yes      # as far as the archive goes, after a lost disk"
)
@click.option("--to", type=Instant(), help="Instant to go back to; by default the last one that is archived.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
def restore(*, to: datetime | None, yes: bool, machine: bool) -> None:
    """Bring the stopped stack back to an instant. What is there now is moved aside, not deleted.

    Everything acknowledged after that instant is gone. The event stream is made anew from the outbox.
    """
    from services.stack import backup as rules

    home = Home.find()
    if not yes:
        when = "the last archived instant" if to is None else f"{to.astimezone(UTC):%F %T} UTC"
        click.confirm(f"Bring {home.folder} back to {when}?", abort=True)
    found, aside = rules.restore(home, to)
    _tell(found, machine=machine)
    if not machine:
        click.echo("".join(f"before: {path}\n" for path in aside) + "Now `kefu up`, then `kefu backup take`.")


def _tell(found: Found, *, machine: bool) -> None:
    if machine:
        show(
            {
                "base": str(found.base.path),
                "seconds": round(found.seconds, 1),
                "schemas": {name: one.version for name, one in found.schemas.items()},
                "missing": {name: one.missing for name, one in found.schemas.items() if one.missing},
                "rows": found.rows,
            }
        )
        return
    rows = [
        (name, one.version or "none", ", ".join(one.missing), f"{_rows(found, name):,}")
        for name, one in found.schemas.items()
    ]
    click.echo(columns([("schema", "at", "lacks", "rows"), *rows]))
    click.echo(f"from {found.base.path.name}, restored and read in {found.seconds:.1f} s")


def _rows(found: Found, service: str) -> int:
    return sum(number for table, number in found.rows.items() if table.startswith(f"{service}."))
