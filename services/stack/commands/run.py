"""serve, work, migrate, check-config: one service, settings from KEFU_* variables, as a cluster runs it."""

from __future__ import annotations

import asyncio
import importlib
import os
from pathlib import Path
from typing import Any

import click

from services.kit.config import ConfigError, describe, load
from services.stack.processes import GRPC_SERVICES

SERVERS = (*GRPC_SERVICES, "gateway", "stream")
SOLVERS = ("staffing",)
WORKERS = (*GRPC_SERVICES, "gateway")
CONFIGS = {
    "intake": ("services.intake.config", "IntakeConfig"),
    "staffing": ("services.staffing.config", "StaffingConfig"),
    "crm": ("services.crm.config", "CrmConfig"),
    "qa": ("services.qa.config", "QaConfig"),
    "gateway": ("services.gateway.config", "GatewayConfig"),
    "stream": ("services.gateway.config", "GatewayConfig"),
}
CONFIG_FILES = click.option(
    "--config", "files", multiple=True, type=click.Path(path_type=Path), help="YAML of KEFU_NAME: value; variables win."
)


@click.command(epilog="\b\nExamples:\n  kefu serve intake\n  kefu serve staffing --with-worker\n  kefu serve gateway")
@click.argument("service", type=click.Choice(SERVERS))
@click.option("--with-worker", is_flag=True, help="Also do the background work, in the same process.")
@CONFIG_FILES
def serve(service: str, *, with_worker: bool, files: tuple[Path, ...]) -> None:
    """Run one service until SIGTERM. `kefu check-config SERVICE` lists its settings."""
    config = _configured(service, files)
    if service in GRPC_SERVICES:
        _run_async(service, config, work=with_worker)
    elif service == "stream":
        importlib.import_module("services.gateway.serving").serve_stream(config)
    else:
        importlib.import_module("services.gateway.serving").serve_web(config)


@click.command(epilog="\b\nExamples:\n  kefu work intake\n  kefu work gateway")
@click.argument("service", type=click.Choice(WORKERS))
@CONFIG_FILES
def work(service: str, *, files: tuple[Path, ...]) -> None:
    """Run a service's background work until SIGTERM: timers, outbox, consumers. Any number may run."""
    config = _configured(service, files)
    if service in GRPC_SERVICES:
        _run_async(service, config, work=True)
    else:
        importlib.import_module("services.gateway.worker").work(config)


@click.command(epilog="\b\nExamples:\n  kefu solve staffing\n  KEFU_SOLVER_WORKERS=4 kefu solve staffing")
@click.argument("service", type=click.Choice(SOLVERS))
@CONFIG_FILES
def solve(service: str, *, files: tuple[Path, ...]) -> None:
    """Search for the rosters that planners ask for, until SIGTERM; settings as for staffing. Any number may run."""
    _run_async(service, _configured(service, files), work=True, build="build_solver")


@click.command(
    epilog="\b\nExamples:\n  KEFU_DATABASE_URL=postgresql://… kefu migrate intake\n  kefu migrate intake --wait 300"
)
@click.argument("service", type=click.Choice(WORKERS))
@click.option("--database", envvar="KEFU_DATABASE_URL", required=True, help="PostgreSQL URL of the service's role.")
@click.option(
    "--wait", "seconds", type=click.FloatRange(min=0), help="Change nothing: wait that long until somebody else has."
)
def migrate(service: str, *, database: str, seconds: float | None) -> None:
    """Bring a service's schema up to date. Harmless to repeat and to run from many places at once."""
    from services.stack.infra import migrate_service, wait_for_schema

    if seconds is not None:
        asyncio.run(wait_for_schema(service, database, seconds))
        click.echo(f"{service}: up to date")
        return
    ran = asyncio.run(migrate_service(service, database))
    click.echo(f"{service}: {ran} migration{'' if ran == 1 else 's'} applied" if ran else f"{service}: up to date")


@click.command("check-config", epilog="\b\nExamples:\n  kefu check-config intake\n  kefu check-config gateway --json")
@click.argument("service", type=click.Choice(SERVERS))
@click.option("--json", "machine", is_flag=True, help="For machines.")
@CONFIG_FILES
def check_config(service: str, *, machine: bool, files: tuple[Path, ...]) -> None:
    """List a service's settings and check the ones given; every fault is named. Exit code 1 when there is one."""
    from services.stack.commands.table import columns, show

    rows = describe(_class(service))
    faults: tuple[str, ...] = ()
    try:
        load(_class(service), os.environ, files)
    except ConfigError as error:
        faults = error.faults
    if machine:
        show({"service": service, "settings": rows, "faults": faults})
    else:
        cells = [(row["env"], row["type"], row["default"], row["unit"], row["help"]) for row in rows]
        click.echo(columns([("setting", "type", "default", "unit", ""), *cells]))
        click.echo("\n".join(f"fault: {fault}" for fault in faults) or "The settings can be used.")
    if faults:
        raise SystemExit(1)


def _class(service: str) -> Any:
    module, name = CONFIGS[service]
    return getattr(importlib.import_module(module), name)


def _configured(service: str, files: tuple[Path, ...]) -> Any:
    from services.kit.telemetry import logs

    config = load(_class(service), os.environ, files)
    logs.configure(service, level=os.environ.get("KEFU_LOG_LEVEL", "INFO"))
    return config


def _run_async(service: str, config: Any, *, work: bool, build: str = "build") -> None:
    import uvloop

    made = getattr(importlib.import_module(f"services.{service}.app"), build)

    async def run() -> None:
        app = await made(config)
        # a worker opens its ports too: health and metrics are asked for there
        await app.start(work=work)
        await app.run_until_signal()

    uvloop.run(run())
