"""Embedded servers: start, stop, start again, and plain words when something is in the way."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import nats
import pytest

from services.kit.embedded import EmbeddedError, EmbeddedNats, EmbeddedPostgres


@pytest.fixture
def leaving() -> Iterator[contextlib.ExitStack]:
    """What a test starts ends with it."""
    with contextlib.ExitStack() as stack:
        yield stack


async def test_postgresql_keeps_its_data_its_port_and_its_passwords(
    tmp_path: Path, leaving: contextlib.ExitStack
) -> None:
    first = EmbeddedPostgres(tmp_path / "postgres")
    leaving.callback(first.stop, immediate=True)
    first.start()
    port, dsn = first.port, first.dsn()
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE kept AS SELECT 1")
    assert await connection.fetchval("SHOW server_version_num") >= "180000"
    assert await connection.fetchval("SHOW fsync") == "on"
    await connection.close()
    first.stop()
    assert not first.running()
    again = EmbeddedPostgres(tmp_path / "postgres")
    again.start()
    again.start()  # already running: nothing happens
    assert (again.port, again.dsn()) == (port, dsn)
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT count(*) FROM kept") == 1
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(dsn.replace(again.password("postgres"), "guessed"))
    assert (tmp_path / "postgres" / "secrets.json").stat().st_mode & 0o077 == 0


def test_postgresql_survives_its_starter(tmp_path: Path, leaving: contextlib.ExitStack) -> None:
    start = f"EmbeddedPostgres(Path({str(tmp_path)!r})).start()"
    code = f"from pathlib import Path; from services.kit.embedded import EmbeddedPostgres; {start}"
    server = EmbeddedPostgres(tmp_path)
    leaving.callback(server.stop, immediate=True)
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
    assert server.running()


def test_an_interrupted_first_start_is_made_good(tmp_path: Path, leaving: contextlib.ExitStack) -> None:
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    (tmp_path / "postgres" / "data" / "half").write_text("")
    server = EmbeddedPostgres(tmp_path / "postgres", durable=False)
    leaving.callback(server.stop, immediate=True)
    server.start()


@pytest.mark.parametrize("kind", [EmbeddedPostgres, EmbeddedNats])
def test_a_taken_port_is_named(tmp_path: Path, kind: type[EmbeddedPostgres | EmbeddedNats]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedError, match=f"port {port} is taken"):
            kind(tmp_path / "server", port=port).start()


async def test_nats_keeps_its_streams(tmp_path: Path, leaving: contextlib.ExitStack) -> None:
    server = EmbeddedNats(tmp_path / "nats")
    leaving.callback(server.stop, immediate=True)
    server.start()
    client = await nats.connect(server.url)
    await client.jetstream().add_stream(name="S", subjects=["s"])
    await client.jetstream().publish("s", b"kept")
    await client.close()
    server.stop()
    assert not server.running()
    again = EmbeddedNats(tmp_path / "nats")
    again.start()
    again.start()
    client = await nats.connect(again.url)
    assert (await client.jetstream().stream_info("S")).state.messages == 1
    await client.close()
    with socket.create_connection(("127.0.0.1", again.port), timeout=5) as stranger:
        stranger.sendall(b'CONNECT {"user":"guest","pass":"guessed","verbose":false}\r\nPING\r\n')
        answers = stranger.makefile("rb")
        assert answers.readline().startswith(b"INFO")
        assert answers.readline() == b"-ERR 'Authorization Violation'\r\n"


def test_a_pid_that_belongs_to_somebody_else_is_left_alone(tmp_path: Path, leaving: contextlib.ExitStack) -> None:
    folder = tmp_path / "nats"
    folder.mkdir()
    (folder / "pid").write_text(str(os.getpid()))
    server = EmbeddedNats(folder)
    assert not server.running()
    server.stop()
    assert os.getpid()  # this process is still here to say so
