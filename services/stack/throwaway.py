"""A stack of its own for one replay: temporary folder, free ports, no durability, virtual time. Gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.kit.embedded import free_port
from services.kit.embedded.ports import LOOPBACK
from services.stack import health, infra
from services.stack.control import tail
from services.stack.home import Home, StackError
from services.stack.processes import PROFILES, base_environment, kefu_command

SERVICES = ("intake", "staffing")
WELL_SECONDS = 60.0
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Throwaway:
    """Where its services answer (`addresses` by service), and their databases (`urls`)."""

    home: Home
    addresses: Mapping[str, str]
    urls: Mapping[str, str]


@contextmanager
def throwaway(start: datetime, *, profiles: Path = PROFILES, folder: Path | None = None) -> Iterator[Throwaway]:
    """Run intake and staffing, each with its worker, in virtual time from `start` on.

    Raises StackError with the end of the log when a service does not come up.
    """
    scratch = folder or Path(tempfile.mkdtemp(prefix="kefu-replay-"))
    home = Home(scratch)
    try:
        postgres, nats = infra.start_servers(home, durable=False)
        ready = infra.prepare(home, postgres, nats, services=SERVICES, virtual=start)
        with serving(home, ready, profiles=profiles) as stack:
            yield stack
    finally:
        infra.stop_servers(home, immediate=True)
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def serving(home: Home, ready: infra.Infra, *, profiles: Path = PROFILES) -> Iterator[Throwaway]:
    """Run the services, each with its worker, on servers that are ready. Raises StackError as `throwaway`."""
    home.logs.mkdir(parents=True, exist_ok=True)
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        addresses = {service: f"{LOOPBACK}:{free_port()}" for service in SERVICES}
        for service in SERVICES:
            url, address = ready.urls[service], addresses[service]
            children[service] = _start(home, service, url, ready.nats.url, address, profiles)
        _wait(home, children, addresses)
        yield Throwaway(home, addresses, ready.urls)
    finally:
        for child in children.values():
            child.terminate()
        for child in children.values():
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _start(
    home: Home, service: str, database: str, nats_url: str, address: str, profiles: Path
) -> subprocess.Popen[bytes]:
    environment = {
        **base_environment(home),
        "KEFU_ENVIRONMENT": "test",
        "KEFU_DATABASE_URL": database,
        "KEFU_NATS_URL": nats_url,
        "KEFU_PUBLIC_KEYS": str(home.keys / "public"),
        "KEFU_SEALING_KEYS": str(home.sealing_keys),
        "KEFU_PROFILES": str(profiles),
        "KEFU_LISTEN": address,
        "KEFU_DRAIN_SECONDS": "0",
        "KEFU_CONNECTION_AGE_SECONDS": "86400",
        "KEFU_INTAKE_SEARCH": "false",
        "KEFU_LOG_LEVEL": os.environ.get("KEFU_LOG_LEVEL", "WARNING"),
    }
    with (home.logs / f"{service}.log").open("a") as output:
        return subprocess.Popen(  # noqa: S603 - our own program
            kefu_command("serve", service, "--with-worker"),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


def _wait(home: Home, children: Mapping[str, subprocess.Popen[bytes]], addresses: Mapping[str, str]) -> None:
    def described() -> list[dict[str, object]]:
        return [
            {"name": name, "pid": 0 if child.poll() is not None else child.pid, "grpc": addresses[name], "http": ""}
            for name, child in children.items()
        ]

    late = health.wait_until_well(described, seconds=WELL_SECONDS, say=lambda _: None)
    if late:
        logs = "\n".join(f"{name}:\n{tail(home.logs / f'{name}.log')}" for name in children)
        raise StackError(f"the replay's services did not come up: {'; '.join(late)}\n{logs}")
