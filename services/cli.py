"""`kefu`: one program for everything. Subcommands import what they need when they run, so that help is quick."""

from __future__ import annotations

import importlib
import sys

import click

EXAMPLES = """
\b
Examples:
  kefu up                                   start everything on this machine
  kefu status --json                        what runs, for machines
  kefu serve intake --with-worker           one service, settings from KEFU_* variables
  kefu profile check charts/kefu/profiles   are the sites' rules valid?
  kefu doctor                               what is wrong and what to do

\b
Exit codes: 0 well, 1 something is wrong (the text says what to do), 2 wrong usage, 3 not running.
"""

# command → (module, attribute); imported when asked for
LAZY: dict[str, tuple[str, str]] = {
    "serve": ("services.stack.commands.run", "serve"),
    "work": ("services.stack.commands.run", "work"),
    "solve": ("services.stack.commands.run", "solve"),
    "migrate": ("services.stack.commands.run", "migrate"),
    "check-config": ("services.stack.commands.run", "check_config"),
    "profile": ("services.policy.cli", "profile"),
    "simulate": ("services.stack.commands.simulate", "simulate"),
    "forecast": ("services.staffing.cli.forecast", "forecast"),
    "staff": ("services.staffing.cli.staff", "staff"),
    "import": ("services.stack.commands.crm", "import_"),
    "crm": ("services.stack.commands.crm", "crm"),
    "qa": ("services.stack.commands.qa", "qa"),
    "roster": ("services.staffing.cli.roster", "roster"),
    "up": ("services.stack.commands.local", "up"),
    "down": ("services.stack.commands.local", "down"),
    "status": ("services.stack.commands.local", "status"),
    "logs": ("services.stack.commands.local", "logs"),
    "reset": ("services.stack.commands.local", "reset"),
    "smoke": ("services.stack.commands.install", "smoke"),
    "secrets": ("services.stack.commands.install", "secrets"),
    "account": ("services.stack.commands.install", "account"),
    "doctor": ("services.stack.commands.care", "doctor"),
    "bundle": ("services.stack.commands.care", "bundle"),
    "parked": ("services.stack.commands.care", "parked"),
    "reconcile": ("services.stack.commands.care", "reconcile"),
    "backup": ("services.stack.commands.backup", "backup"),
    "rotate": ("services.stack.commands.rotate", "rotate"),
}
SHORT: dict[str, str] = {
    "serve": "run one service",
    "work": "run the worker of one service",
    "solve": "search for the rosters that planners ask for",
    "migrate": "bring a service's schema up to date",
    "check-config": "check a service's settings without starting it",
    "profile": "check, show and compare the sites' rules",
    "simulate": "replay a recorded call log in virtual time",
    "forecast": "forecast contacts and handling times from a history",
    "staff": "people needed for a service level, simulated",
    "import": "take people and purchase histories of other systems over",
    "crm": "check the ledger of points, report on customer relations",
    "qa": "draw recordings for review, run a draw again",
    "roster": "rosters with a proof of how good they are",
    "up": "start everything on this machine",
    "down": "stop it; its state stays",
    "status": "what runs, how it is, where it listens",
    "logs": "show the logs of every process",
    "reset": "stop it and forget its state",
    "smoke": "ask an installation's health, and one thing through its gateway",
    "account": "add an account before anybody can sign in",
    "secrets": "print a first set of Kubernetes Secrets for the chart",
    "doctor": "what is wrong, and what to do",
    "bundle": "collect a diagnostic file without personal data",
    "parked": "list and retry work that failed five times",
    "reconcile": "compare the outbox with the event stream",
    "backup": "back up, prove it, bring back to an instant",
    "rotate": "replace signing and sealing keys",
}
SECTIONS: dict[str, tuple[str, ...]] = {
    "On this machine": ("up", "down", "status", "logs", "reset"),
    "Run": ("serve", "work", "solve", "migrate", "check-config"),
    "In a cluster": ("secrets", "account", "smoke"),
    "Rules and replays": ("profile", "simulate"),
    "Plan": ("forecast", "staff", "roster"),
    "Customers": ("import", "crm"),
    "Quality": ("qa",),
    "Care": ("doctor", "bundle", "parked", "reconcile", "backup", "rotate"),
}


class Lazy(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command, in the order of its section."""
        return [name for names in SECTIONS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in LAZY:
            return None
        module, attribute = LAZY[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands by section without importing any."""
        for section, names in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name, SHORT[name]) for name in names])


@click.group(cls=Lazy, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Kefu: customer service run by a company's own written rules."""


def main() -> None:
    """Run the program; a failure that we know ends with its words, anything else with its traceback."""
    try:
        cli(standalone_mode=True)
    except Exception as error:
        words = _known(error)
        if words is None:
            raise
        click.echo(f"kefu: {words}", err=True)
        sys.exit(1)


def _known(error: Exception) -> str | None:
    """The words of an error of our own making; None for any other."""
    return str(error) if type(error).__module__.startswith("services.") else None


if __name__ == "__main__":
    main()
