"""rotate signing, rotate sealing: keys in files, as the services read them (docs/operations/rotation.md)."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.kit.clock import SystemClock
from services.stack.commands.database import DATABASE, SERVICE, with_database
from services.stack.home import Home, StackError

if TYPE_CHECKING:
    from services.kit.crypto import Keys
    from services.kit.db import Database

FOLDER = click.option("--folder", type=click.Path(path_type=Path), help="Key folder; by default the local stack's.")
FILE = click.option("--file", type=click.Path(path_type=Path), help="Key file; by default the local stack's.")


@click.group()
def rotate() -> None:
    """Replace keys without losing what the old ones signed or sealed. Each step is harmless to repeat or to stop at."""


@rotate.command("signing", epilog="\b\nExamples:\n  kefu rotate signing\n  kefu rotate signing --drop local-1")
@FOLDER
@click.option("--drop", metavar="KID", help="Remove a key: every token that it signed is void at once.")
def signing(*, folder: Path | None, drop: str | None) -> None:
    """Add a key pair to sign tokens with, or remove an old one. The gateway takes the last by name, within 30 s."""
    from services.kit.keys import new_key_pair

    folder = folder or Home.find().keys
    names = sorted(path.stem for path in folder.glob("*.key"))
    if drop is None:
        kid = _dated(names)
        new_key_pair(folder, kid)
        click.echo(f"{kid} is there; drop {', '.join(names) or 'none'} once the longest token (4 h) has run out")
        return
    if drop not in names or names == [drop]:
        raise StackError(f"{folder} has the keys {', '.join(names)}; one must stay that is not {drop}")
    for path in (folder / f"{drop}.key", folder / "public" / f"{drop}.pem"):
        path.unlink()
    click.echo(f"{drop} is gone; what it signed is refused within 30 s")


@rotate.group("sealing")
def sealing() -> None:
    """The key that seals personal data: add, use, rewrap, drop; services start again after add, use and drop."""


@sealing.command(epilog="\b\nExamples:\n  kefu rotate sealing add")
@FILE
def add(*, file: Path | None) -> None:
    """Add a key that seals nothing yet, for every process to know before one uses it."""
    path, keys = _read(file)
    key_id = _dated(keys.wrapping)
    keys.added(key_id).write(path)
    click.echo(f"{key_id} is in {path}; start the services again, then `kefu rotate sealing use {key_id}`")


@sealing.command(epilog="\b\nExamples:\n  kefu rotate sealing use 2026-11-25")
@click.argument("key_id")
@FILE
def use(key_id: str, *, file: Path | None) -> None:
    """Seal with a key from now on; the others still open what they sealed."""
    path, keys = _read(file)
    keys.using(key_id).write(path)
    click.echo(
        f"{path} seals with {key_id}; start the services again, then `kefu rotate sealing rewrap SERVICE` for each"
    )


@sealing.command(epilog="\b\nExamples:\n  kefu rotate sealing rewrap intake")
@SERVICE
@DATABASE
@FILE
def rewrap(service: str, *, database: str | None, file: Path | None) -> None:
    """Bring all that a service has sealed under the key in use, while the service runs."""
    from services.kit import sealed
    from services.kit.crypto import Vault

    _, keys = _read(file)
    columns = importlib.import_module(f"services.{service}.sealed").SEALED

    async def run(opened: Database) -> int:
        return await sealed.rewrap(opened, Vault(keys), columns)

    click.echo(f"{service}: {with_database(service, database, run)} values are now under {keys.current}")


@sealing.command(epilog="\b\nExamples:\n  kefu rotate sealing drop local-1")
@click.argument("key_id")
@FILE
def drop(key_id: str, *, file: Path | None) -> None:
    """Remove a key, after `rewrap` of every service found nothing to do. Backups need it still: keep a copy."""
    path, keys = _read(file)
    keys.without(key_id).write(path)
    click.echo(f"{key_id} is out of {path}; start the services again, and keep it as long as backups from before")


def _read(file: Path | None) -> tuple[Path, Keys]:
    from services.kit.crypto import Keys

    path = file or Home.find().sealing_keys
    return path, Keys.read(path)


def _dated(names: Iterable[str]) -> str:
    """A name of today that sorts after those that there are."""
    today, last = f"{SystemClock().now():%Y-%m-%d}", max(names, default="")
    return today if today > last else f"{last}.1"
