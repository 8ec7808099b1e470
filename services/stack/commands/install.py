"""secrets, account, smoke: before and after an installation in a cluster."""

from __future__ import annotations

import asyncio
import os
import secrets as random
from pathlib import Path

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


@click.command(
    epilog="\b\nExamples:\n  kubectl exec deployment/kefu-gateway -- kefu account admin\n"
    "  kefu account zhoujie --role engineer --site online-desk"
)
@click.argument("name")
@click.option("--role", default="admin", show_default=True, help="Role, as services/policy/access.yaml names it.")
@click.option("--site", default="*", show_default=True, help="Site of the role; * for every site.")
@click.option("--database", envvar="KEFU_DATABASE_URL", required=True, help="PostgreSQL URL of the gateway's role.")
def account(name: str, role: str, site: str, database: str) -> None:
    """Add an account before anybody can sign in, and print its password once. An account that exists stays as it is."""
    from services import policy
    from services.kit.access import Access

    known = sorted(Access.read(Path(policy.__file__).with_name("access.yaml")).roles)
    if role not in known:
        raise click.BadParameter(f"{role} is no role; there are {', '.join(known)}", param_hint="--role")
    password = random.token_urlsafe(16)
    if not asyncio.run(_add_account(database, name, {site: [role]}, password)):
        raise click.ClickException(f"{name} exists already; a manager can send them a link for a new password")
    click.echo(f"{name}: {password}")


async def _add_account(url: str, name: str, roles: dict[str, list[str]], password: str) -> bool:
    from services.gateway.seed import ensure_account
    from services.kit.db import Database

    database = Database(url, "gateway", size=2)
    await database.open(hints=False)
    try:
        return await ensure_account(database, user_name=name, display_name=name, roles=roles, password=password)
    finally:
        await database.close()
