"""Ports, secrets and pid files of embedded servers."""

from __future__ import annotations

import json
import os
import secrets
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"


class EmbeddedError(RuntimeError):
    """An embedded server cannot do what was asked; the text says what to do next."""


def free_port() -> int:
    """Return a TCP port on the loopback that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Say whether a server could listen on the loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def settle_port(folder: Path, wanted: int | None) -> int:
    """Choose the port to listen on: the wanted one, else the one used before if still free, else any.

    Raises EmbeddedError when a wanted port is taken.
    """
    if wanted is not None:
        if not is_free(wanted):
            raise EmbeddedError(f"port {wanted} is taken by another program; stop it or choose another port")
        return wanted
    noted = folder / "port"
    if noted.exists() and is_free(earlier := int(noted.read_text())):
        return earlier
    return free_port()


def keep_port(folder: Path, port: int) -> None:
    """Note the port for the next start and for `is it running` questions."""
    (folder / "port").write_text(str(port))


def keep_secret(folder: Path, name: str) -> str:
    """Return the folder's password of that name, made up at its first use; the file is readable by its owner only."""
    path = folder / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if name not in known:
        known[name] = secrets.token_urlsafe(24)
        draft = path.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(known, indent=1))
        draft.replace(path)
    return known[name]


def run_as() -> str | None:
    """Name the unprivileged account that servers refusing root run under; None when we are not root."""
    return "nobody" if os.geteuid() == 0 else None
