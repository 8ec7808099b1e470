"""Libraries that Kefu is measured beside, each in an environment of its own: what they pin is not ours to install."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def ask(script: Path, library: str, question: object) -> Any:
    """Run a script with a library and a JSON question; None where it cannot be installed."""
    uv = str(Path(sys.executable).with_name("uv"))
    command = [
        uv,
        "run",
        "--quiet",
        "--no-project",
        "--python",
        sys.executable,
        "--with",
        library,
        "python",
        str(script),
    ]
    done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{library}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout)
