"""Which processes a stack consists of: commands, environment, how to tell that they are well."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.stack.home import Home

ROOT = Path(__file__).resolve().parents[2]
PROFILES = ROOT / "charts" / "kefu" / "profiles"
SIMULATOR = "simulator"
GRPC_SERVICES = ("intake", "staffing", "crm", "qa")


@dataclass(frozen=True)
class Process:
    """One child of the supervisor.

    `grpc` is the address of its gRPC health service, `http` the URL that answers 200 when it is well; `memory_mb` is
    about what it needs, for `kefu doctor`.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    grpc: str = ""
    http: str = ""
    metrics: str = ""


def processes(home: Home, urls: Mapping[str, str], nats_url: str) -> list[Process]:
    """Every process of the stack; `urls` are the services' PostgreSQL URLs."""
    return [
        *(_service(home, service, urls, nats_url) for service in GRPC_SERVICES),
        _solver(home, urls, nats_url),
        *_gateway(home, urls, nats_url),
        Process(
            name=SIMULATOR,
            command=(sys.executable, "-m", "services.simulate.live"),
            environment=base_environment(home) | simulator_environment(home),
        ),
    ]


def simulator_environment(home: Home) -> dict[str, str]:
    """What the live generator needs: where the services answer, and its service account."""
    return {
        "KEFU_ENVIRONMENT": "local",
        "KEFU_TARGETS": targets(home),
        "KEFU_PUBLIC_URL": console_url(home),
        "KEFU_CLIENT_ID": SIMULATOR,
        "KEFU_CLIENT_SECRET": home.secret("simulator-client"),
        "KEFU_SIGNING_KEYS": str(home.keys),
        "KEFU_PROFILES": str(PROFILES),
    }


def console_url(home: Home) -> str:
    """Where browsers find the console."""
    return f"http://{home.address('console')}"


def targets(home: Home) -> str:
    """Where services answer, as KEFU_TARGETS says it."""
    return ",".join(f"{service}={home.address(service)}" for service in GRPC_SERVICES)


def base_environment(home: Home) -> dict[str, str]:
    """The environment of every child: ours without KEFU_* settings, with this checkout first on the path."""
    passed = {name: value for name, value in os.environ.items() if not name.startswith("KEFU_")}
    return passed | {
        "PYTHONPATH": python_path(),
        "PYTHONUNBUFFERED": "1",
        "KEFU_HOME": str(home.folder),
    }


def python_path() -> str:
    """This checkout, then whatever we were started with."""
    paths = [str(ROOT), str(ROOT / "protos" / "gen"), *filter(None, [os.environ.get("PYTHONPATH", "")])]
    return os.pathsep.join(dict.fromkeys(paths))


def kefu_command(*arguments: str) -> tuple[str, ...]:
    """A `kefu` command of this environment."""
    return (sys.executable, "-m", "services.cli", *arguments)


def _service(home: Home, name: str, urls: Mapping[str, str], nats_url: str) -> Process:
    environment = base_environment(home) | service_environment(home, name, urls, nats_url)
    return Process(
        name=name,
        command=kefu_command("serve", name, "--with-worker"),
        environment=environment,
        grpc=home.address(name),
        metrics=home.address(f"{name} metrics"),
    )


def _solver(home: Home, urls: Mapping[str, str], nats_url: str) -> Process:
    """Who searches for rosters: the machine's cores are its own question, so that nobody else waits for it."""
    listens = {"KEFU_LISTEN": home.address("solver"), "KEFU_METRICS_LISTEN": home.address("solver metrics")}
    return Process(
        name="solver",
        command=kefu_command("solve", "staffing"),
        environment=base_environment(home) | service_environment(home, "staffing", urls, nats_url) | listens,
        grpc=home.address("solver"),
        metrics=home.address("solver metrics"),
    )


def service_environment(home: Home, name: str, urls: Mapping[str, str], nats_url: str) -> dict[str, str]:
    """Settings of a gRPC service of the stack."""
    own = {"KEFU_QA_OBJECTS": home.objects.as_uri(), "KEFU_QA_SCRATCH": str(home.scratch)} if name == "qa" else {}
    return own | {
        "KEFU_ENVIRONMENT": "local",
        "KEFU_DATABASE_URL": urls[name],
        "KEFU_NATS_URL": nats_url,
        "KEFU_PUBLIC_KEYS": str(home.keys / "public"),
        "KEFU_SEALING_KEYS": str(home.sealing_keys),
        "KEFU_PROFILES": str(PROFILES),
        "KEFU_TARGETS": targets(home),
        "KEFU_LISTEN": home.address(name),
        "KEFU_METRICS_LISTEN": home.address(f"{name} metrics"),
        "KEFU_REFLECTION": "true",
        "KEFU_DRAIN_SECONDS": "0.2",
        "KEFU_GRACE_SECONDS": "5",
    }


def _gateway(home: Home, urls: Mapping[str, str], nats_url: str) -> list[Process]:
    environment = base_environment(home) | {
        "KEFU_ENVIRONMENT": "local",
        "KEFU_DATABASE_URL": urls["gateway"],
        "KEFU_NATS_URL": nats_url,
        "KEFU_GATEWAY_SECRET": home.secret("gateway-secret"),
        "KEFU_SIGNING_KEYS": str(home.keys),
        "KEFU_SEALING_KEYS": str(home.sealing_keys),
        "KEFU_TARGETS": targets(home),
        "KEFU_PROFILES": str(PROFILES),
        "KEFU_PUBLIC_URL": console_url(home),
        "KEFU_STREAM_URL": f"http://{home.address('stream')}",
        "KEFU_GATEWAY_LISTEN": home.address("console"),
        "KEFU_STREAM_LISTEN": home.address("stream"),
        "KEFU_WITH_WORKER": "true",
        "KEFU_ANONYMOUS_CHAT": "*",
        "KEFU_WEBHOOKS_PRIVATE": "true",
    }
    return [
        Process(
            name="gateway",
            command=kefu_command("serve", "gateway"),
            environment=environment | {"KEFU_METRICS_LISTEN": home.address("gateway metrics")},
            http=f"{console_url(home)}/healthz",
            metrics=home.address("gateway metrics"),
        ),
        Process(
            name="stream",
            command=kefu_command("serve", "stream"),
            environment=environment | {"KEFU_METRICS_LISTEN": home.address("stream metrics")},
            http=f"http://{home.address('stream')}/healthz",
            metrics=home.address("stream metrics"),
        ),
    ]
