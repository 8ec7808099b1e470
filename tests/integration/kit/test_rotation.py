"""Keys and passwords are replaced under running processes: what was sealed stays readable, nobody is locked out."""

from __future__ import annotations

import importlib
import json
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
import pytest_asyncio
from click.testing import CliRunner

from services.cli import cli
from services.kit import sealed
from services.kit.crypto import CryptoError, Keys, Vault, key_id_of
from services.kit.db import Database
from services.kit.embedded import EmbeddedNats, EmbeddedPostgres
from services.kit.errors import Unavailable
from services.kit.sealed import KIT, Sealed
from services.kit.testing.polling import eventually
from services.kit.testing.postgres import Databases
from services.stack.home import SERVICES

pytestmark = pytest.mark.asyncio(loop_scope="session")
PURPOSE = "kit.words"
WORDS = Sealed("words", "word_sealed", f"'{PURPOSE}'", "site || '/' || id")


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(databases: Databases) -> AsyncIterator[Database]:
    database = Database((await databases.clone("kit"))["kit"], "kit")
    await database.open()
    yield database
    await database.close()


async def test_every_sealed_column_is_declared(databases: Databases) -> None:
    urls = await databases.clone(*SERVICES)
    for service in SERVICES:
        declared = {
            (one.table, one.column) for one in (*KIT, *importlib.import_module(f"services.{service}.sealed").SEALED)
        }
        connection = await asyncpg.connect(urls[service])
        try:
            found = await connection.fetch(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = $1"
                " AND column_name LIKE '%sealed' AND data_type = 'bytea'",
                service,
            )
        finally:
            await connection.close()
        assert {tuple(row) for row in found} == declared, f"services/{service}/sealed.py and its schema differ"


async def test_everything_sealed_is_rewrapped_and_the_old_key_can_go(fresh: Database, tmp_path: Path) -> None:
    file = tmp_path / "sealing.json"
    old = Keys.create(file, "first")
    await fresh.execute("CREATE TABLE words (site text, id text, word_sealed bytea)")
    vault = Vault(old)
    for number in range(1_100):  # more than two batches
        value = vault.seal(f"word {number}", purpose=PURPOSE, record=f"desk/{number}")
        await fresh.execute("INSERT INTO words VALUES ('desk', $1, $2)", str(number), value)
    await fresh.execute("INSERT INTO words VALUES ('desk', 'erased', ''), ('desk', 'none', NULL)")

    for step in ("add", "use"):
        arguments = ["rotate", "sealing", step, *([newest(file)] if step == "use" else []), "--file", str(file)]
        done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    keys = Keys.read(file)
    assert keys.current != "first"
    assert await sealed.rewrap(fresh, Vault(keys), [WORDS]) == 1_100
    assert await sealed.rewrap(fresh, Vault(keys), [WORDS]) == 0
    CliRunner().invoke(cli, ["rotate", "sealing", "drop", "first", "--file", str(file)], catch_exceptions=False)
    last = Vault(Keys.read(file))
    for row in await fresh.fetch("SELECT id, word_sealed FROM words WHERE length(word_sealed) > 0"):
        assert key_id_of(row["word_sealed"]) == keys.current
        assert last.open(row["word_sealed"], purpose=PURPOSE, record=f"desk/{row['id']}") == f"word {row['id']}"
    assert Vault(Keys.read(file)).index("x", purpose="p") == vault.index("x", purpose="p")
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(CryptoError, match="the current key"):
        Keys.read(file).without(keys.current)


def newest(file: Path) -> str:
    return str(max(json.loads(file.read_text())["keys"], key=lambda name: name != "first"))


async def test_a_value_of_a_lost_key_is_named_and_left_alone(fresh: Database, tmp_path: Path) -> None:
    lost, kept = Keys.create(tmp_path / "lost.json", "lost"), Keys.create(tmp_path / "kept.json", "kept")
    await fresh.execute("CREATE TABLE words (site text, id text, word_sealed bytea)")
    value = Vault(lost).seal("word", purpose=PURPOSE, record="desk/1")
    await fresh.execute("INSERT INTO words VALUES ('desk', '1', $1)", value)
    with pytest.raises(CryptoError, match=r"words.word_sealed: the key 'lost' is not in the key file"):
        await sealed.rewrap(fresh, Vault(kept), [WORDS])
    assert await fresh.fetchval("SELECT word_sealed FROM words") == value


async def test_a_database_password_changes_under_open_connections(
    databases: Databases, postgres: EmbeddedPostgres
) -> None:
    url = (await databases.clone("kit"))["kit"]
    before = Database(url, "kit", size=1)
    await before.open(hints=False)
    admin = await asyncpg.connect(postgres.dsn())
    old = postgres.password("kefu_kit")
    try:
        await admin.execute("ALTER ROLE kefu_kit PASSWORD 'another'")
        assert await before.fetchval("SELECT 1") == 1  # whoever is in stays in, until it starts again
        with pytest.raises(Unavailable):
            await Database(url, "kit", size=1).open(hints=False)
        after = Database(url.replace(old, "another"), "kit", size=1)
        await after.open(hints=False)
        assert await after.fetchval("SELECT 1") == 1
        await after.close()
    finally:
        await admin.execute(f"ALTER ROLE kefu_kit PASSWORD '{old}'")
        await admin.close()
        await before.close()


async def test_nats_takes_a_second_user_before_the_first_one_goes(scratch: Path, tmp_path: Path) -> None:
    server = EmbeddedNats(scratch / tmp_path.name)
    server.start()
    try:
        conf, first = server.folder / "nats.conf", server.url
        text, second = conf.read_text(), first.replace("nats://kefu:", "nats://kefu-2:")
        password = first.split(":")[2].split("@")[0]
        old, new = (f'{{user: {name}, password: "{password}"}}' for name in ("kefu", "kefu-2"))
        single = next(line for line in text.splitlines() if line.startswith("authorization"))

        def users(*wanted: str) -> None:
            conf.write_text(text.replace(single, f"authorization {{ users: [{', '.join(wanted)}] }}"))
            psutil.Process(int((server.folder / "pid").read_text())).send_signal(signal.SIGHUP)

        users(old, new)
        await eventually(lambda: _gets_in(second))
        assert _gets_in(first)
        users(new)
        await eventually(lambda: not _gets_in(first))
        assert _gets_in(second)
    finally:
        server.stop(immediate=True)


def _gets_in(url: str) -> bool:
    """Ask as a client does, without one: a refused client of the library leaves its socket open."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as link, link.makefile("rb") as lines:
        lines.readline()
        options = json.dumps({"user": parts.username, "pass": parts.password, "verbose": False})
        link.sendall(f"CONNECT {options}\r\nPING\r\n".encode())
        return lines.readline().startswith(b"PONG")
