"""Where a local stack lives: one folder (`$KEFU_HOME`, by default ./.kefu) with its state, logs, keys and ports."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.kit.embedded.ports import LOOPBACK, keep_secret

SERVICES = ("intake", "staffing", "crm", "qa", "gateway")
DEFAULT_PORT_BASE = 8700
# What listens where, as an offset to the base; PostgreSQL and NATS take any free port, nobody types those.
OFFSETS: Mapping[str, int] = {
    "console": 0,
    "stream": 1,
    "gateway metrics": 2,
    "stream metrics": 3,
    "intake": 10,
    "intake metrics": 11,
    "staffing": 20,
    "staffing metrics": 21,
    "solver": 22,
    "solver metrics": 23,
    "crm": 30,
    "crm metrics": 31,
    "qa": 40,
    "qa metrics": 41,
    "prometheus": 90,
    "grafana": 91,
}
# These run where they are installed; Grafana by hand.
OPTIONAL = frozenset({"prometheus", "grafana"})


class StackError(RuntimeError):
    """The stack cannot do what was asked; the text says what to do next."""


@dataclass(frozen=True)
class Home:
    """The folder of one stack and what is where in it."""

    folder: Path
    port_base: int = DEFAULT_PORT_BASE

    @classmethod
    def find(cls, environ: Mapping[str, str] = os.environ) -> Home:
        """The stack that the environment names. Raises StackError for a port base that is none."""
        text = environ.get("KEFU_PORT_BASE", "")
        if text and (not text.isdigit() or not 1024 <= int(text) <= 65_000):
            raise StackError(f"KEFU_PORT_BASE must be a number from 1024 to 65000, not {text!r}")
        folder = Path(environ.get("KEFU_HOME", ".kefu")).absolute()
        home = cls(folder)
        return cls(folder, int(text) if text else int(home.noted("port_base", DEFAULT_PORT_BASE)))

    def port(self, what: str) -> int:
        """The port of one of `OFFSETS`."""
        return self.port_base + OFFSETS[what]

    def address(self, what: str) -> str:
        """host:port of one of `OFFSETS`."""
        return f"{LOOPBACK}:{self.port(what)}"

    @property
    def postgres(self) -> Path:
        """Folder of the embedded PostgreSQL."""
        return self.folder / "postgres"

    @property
    def nats(self) -> Path:
        """Folder of the embedded NATS."""
        return self.folder / "nats"

    @property
    def logs(self) -> Path:
        """Folder of one log file per process."""
        return self.folder / "logs"

    @property
    def keys(self) -> Path:
        """Folder of the token signing keys."""
        return self.folder / "keys"

    @property
    def sealing_keys(self) -> Path:
        """The file of the keys that seal personal data."""
        return self.folder / "sealing.json"

    @property
    def objects(self) -> Path:
        """Folder of the object store: recordings and frames."""
        return self.folder / "objects"

    @property
    def scratch(self) -> Path:
        """Folder of copies that may go at any time."""
        return self.folder / "scratch"

    @property
    def state(self) -> Path:
        """What the supervisor last wrote about its children."""
        return self.folder / "state.json"

    @property
    def pid_file(self) -> Path:
        """The supervisor's pid."""
        return self.folder / "supervisor.pid"

    def secret(self, name: str) -> str:
        """A random secret of this stack, made up at its first use."""
        return keep_secret(self.folder, name)

    def noted(self, key: str, default: Any) -> Any:
        """A value noted by `note`, for example the port base that the stack was started with."""
        path = self.folder / "stack.json"
        return json.loads(path.read_text()).get(key, default) if path.exists() else default

    def note(self, **values: Any) -> None:
        """Keep values for later commands."""
        path = self.folder / "stack.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        write_whole(path, json.dumps(known | values, indent=1))


def write_whole(path: Path, text: str) -> None:
    """Write a file so that readers see the old or the new text, never half of it; only its owner may read it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)
