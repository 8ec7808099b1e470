"""up, down, status, logs, reset."""

from __future__ import annotations

import subprocess
import sys
import time

import click

from services.stack import monitoring
from services.stack import status as state
from services.stack import up as stack
from services.stack.commands.table import columns, show
from services.stack.home import Home
from services.stack.processes import GRPC_SERVICES, console_url


@click.command(epilog="\b\nExamples:\n  kefu up\n  KEFU_PORT_BASE=9000 KEFU_HOME=/tmp/second kefu up")
@click.option("--json", "machine", is_flag=True, help="Print where everything is as JSON.")
def up(*, machine: bool) -> None:
    """Start everything on this machine and print where it is.

    State lives in $KEFU_HOME (./.kefu) and survives `kefu down`. Harmless to repeat.
    """
    from services.stack.demo import sign_ins

    home, began = Home.find(), time.monotonic()

    def say(step: str) -> None:
        click.echo(f"  {time.monotonic() - began:5.1f} s  {step}", err=machine)

    fresh = stack.up(home, say)
    found = state.read(home)
    if machine:
        show({**found.plain(), "sign_in": sign_ins(home)})
        return
    click.echo(f"\nKefu {'runs' if fresh else 'was already running'} ({time.monotonic() - began:.1f} s)\n")
    click.echo(columns([("where", "address"), *_addresses(home, found)]))
    click.echo(columns([("sign in as", "user", "password", "site"), *sign_ins(home)]))
    click.echo(monitoring.hint(home, watched=any(row.name == monitoring.NAME for row in found.rows)))
    click.echo("The traffic that you see is simulated; stop it in the console (Administration), or with `kefu down`.")


@click.command()
def down() -> None:
    """Stop everything; the state in $KEFU_HOME stays."""
    stack.down(Home.find(), click.echo)


@click.command()
@click.option("--json", "machine", is_flag=True, help="For machines.")
def status(*, machine: bool) -> None:
    """Show what runs, how it is, where it listens. Exit code 3 when the stack does not run, 1 when a part is unwell."""

    home = Home.find()
    found = state.read(home)
    if machine:
        show(found.plain())
    else:
        _print(found)
    sys.exit(0 if found.well else 1 if found.running else 3)


@click.command(epilog="\b\nExamples:\n  kefu logs\n  kefu logs intake --no-follow --lines 200")
@click.argument("names", nargs=-1)
@click.option("--lines", default=20, show_default=True, help="Lines of each log to begin with.")
@click.option("--follow/--no-follow", default=True, help="Go on as lines come.")
def logs(names: tuple[str, ...], *, lines: int, follow: bool) -> None:
    """Show the logs of every process, or of the named ones."""
    home = Home.find()
    files = [home.logs / f"{name}.log" for name in names] or sorted(home.logs.glob("*.log"))
    if missing := [file.stem for file in files if not file.exists()]:
        known = ", ".join(sorted(file.stem for file in home.logs.glob("*.log"))) or "none yet"
        raise click.UsageError(f"no log of {', '.join(missing)}; there are: {known}")
    if not files:
        raise click.UsageError(f"no logs in {home.logs}; start with `kefu up`")
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), *map(str, files)]
    sys.exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - our own files


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(*, yes: bool) -> None:
    """Stop everything and delete the state in $KEFU_HOME."""
    home = Home.find()
    if home.folder.exists() and not yes and sys.stdin.isatty():
        click.confirm(f"Delete {home.folder} with every conversation in it?", abort=True)
    stack.reset(home, click.echo)


def _print(found: state.Status) -> None:
    if not found.running:
        click.echo(f"Kefu does not run in {found.home}. Start it with `kefu up`.")
    rows = [
        (
            row.name,
            row.state,
            str(row.pid or ""),
            f"{row.memory_mb} MB",
            f"{row.uptime_seconds} s",
            row.address,
            row.words,
        )
        for row in found.rows
    ]
    click.echo(columns([("process", "state", "pid", "memory", "up", "address", ""), *rows]))


def _addresses(home: Home, found: state.Status) -> list[tuple[str, str]]:
    rows = [
        ("console", console_url(home)),
        ("REST", f"{console_url(home)}/v1/…"),
        ("OpenAPI", f"{console_url(home)}/openapi.json"),
    ]
    rows += [(f"gRPC {row.name}", row.address) for row in found.rows if row.name in GRPC_SERVICES]
    rows += [("events (SSE)", f"http://{home.address('stream')}")]
    rows += [(f"metrics {row.name}", f"http://{row.metrics}/metrics") for row in found.rows if row.metrics]
    return rows
