"""secrets, smoke: before and after an installation in a cluster."""

from __future__ import annotations

import os

import click

from services.kit.clock import SystemClock
from services.stack.commands.table import columns, show
from services.stack.home import SERVICES


@click.command(epilog="\b\nExamples:\n  kefu smoke\n  kefu smoke --json")
@click.option("--json", "machine", is_flag=True, help="For machines.")
def smoke(*, machine: bool) -> None:
    """Ask every service's health, then read one wallboard through the gateway. `helm test` runs it in the cluster.

    Where to ask is in KEFU_GATEWAY_URL, KEFU_STREAM_URL, KEFU_PUBLIC_URL and KEFU_HEALTH_TARGETS. With the service
    account KEFU_CLIENT_ID it signs in; without one the gateway must ask who we are. Exit code 1 when not all is well.
    """
    from services.kit.config import load
    from services.stack import smoke as rules

    found = list(rules.examine(load(rules.SmokeConfig, os.environ)))
    if machine:
        show(
            [
                {"name": name, "well": health.well, "words": "" if health.well else health.words}
                for name, health in found
            ]
        )
    else:
        rows = [(name, "well" if health.well else f"not well: {health.words}") for name, health in found]
        click.echo(columns([("what", "how it is"), *rows]))
    if not all(health.well for _, health in found):
        raise SystemExit(1)


@click.command(
    epilog="\b\nExamples:\n  kefu secrets --namespace kefu | kubectl create -f -\n"
    "  kefu secrets --namespace kefu --postgres db.internal:5432 --nats nats.internal:4222 > secrets.yaml"
)
@click.option("--namespace", required=True, help="Namespace of the installation.")
@click.option("--postgres", default="kefu-dev-postgresql:5432", show_default=True, help="host:port of PostgreSQL.")
@click.option("--nats", default="kefu-dev-nats:4222", show_default=True, help="host:port of NATS.")
def secrets(namespace: str, postgres: str, nats: str) -> None:
    """Print fresh Secrets under the names that charts/kefu/values.yaml expects: once, for a new installation.

    Create them with `kubectl create`, which never overwrites: new sealing keys would make what is sealed unreadable.
    """
    import yaml

    from services.stack.cluster_secrets import first_set

    kid = f"{SystemClock().now():%Y-%m-%d}"
    made = first_set(SERVICES, namespace=namespace, postgres=postgres, nats=nats, kid=kid)
    click.echo(yaml.safe_dump_all(made, sort_keys=False), nl=False)
