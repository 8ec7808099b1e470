"""A person's words are in the rows that erasure overwrites, nowhere else: no log, event, history, audit, metric."""

from __future__ import annotations

import tarfile
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import nats
import pytest

from services.kit import bus
from services.kit.embedded import EmbeddedNats, EmbeddedPostgres
from services.stack.home import SERVICES
from services.stack.infra import DATABASE
from tests.observability.stack import Stack
from tests.observability.traffic import SONG, Done

# Where a person's words may be; names and colleagues' names are sealed even there.
HOMES = {
    "conversations": {"subject", "need", "summary", "comment"},
    "messages": {"first", "said", "note", "reason", "declined", "colleague"},
    "attachments": {"file"},
    "follow_ups": {"followup", "outcome"},
    "search_entries": {"subject", "summary", "first", "said", "colleague", "note", "reason", "declined"},
}


@pytest.fixture(scope="module")
def tables(whole_stack: Stack, done: Done) -> Mapping[str, str]:
    """Every table of every service as text: "service.table" → all its rows."""
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(_run, _tables(whole_stack)).result()


def _run(work: object) -> Mapping[str, str]:
    import asyncio

    return asyncio.run(work)  # type: ignore[arg-type]


async def _tables(stack: Stack) -> Mapping[str, str]:
    connection = await asyncpg.connect(EmbeddedPostgres(stack.home.postgres).dsn(DATABASE))
    try:
        await connection.execute("SET bytea_output = escape")
        names = await connection.fetch(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY ($1)", list(SERVICES)
        )
        return {
            f"{schema}.{table}": await connection.fetchval(
                f'SELECT coalesce(string_agg(t::text, chr(10)), \'\') FROM "{schema}"."{table}" t'
            )
            for schema, table in names
        }
    finally:
        await connection.close()


def found(text: str | bytes, done: Done) -> set[str]:
    """Which canaries are in a text: by their unmistakable ends, which escaping and indexing leave whole."""
    data = text.encode() if isinstance(text, str) else text
    return {what for what, canary in done.canaries.items() if canary[-SONG:].encode() in data}


def test_words_are_only_in_rows_that_erasure_overwrites(tables: Mapping[str, str], done: Done) -> None:
    held = {name: canaries for name, rows in tables.items() if (canaries := found(rows, done))}
    allowed = {f"intake.{table}": canaries for table, canaries in HOMES.items()}
    assert held == allowed


def test_the_search_finds_what_it_must(tables: Mapping[str, str], done: Done) -> None:
    assert found(tables["intake.messages"], done) >= {"first", "said"}
    assert found(f"words {done.canaries['first']} and more", done) == {"first"}


def test_no_log_holds_a_word(whole_stack: Stack, done: Done) -> None:
    logs = sorted(whole_stack.home.logs.glob("*.log"))
    assert {log.stem for log in logs} >= {"intake", "staffing", "crm", "qa", "gateway", "stream"}
    assert {log.name: words for log in logs if (words := found(log.read_bytes(), done))} == {}


async def test_no_event_holds_a_word(whole_stack: Stack, done: Done) -> None:
    messages = [data async for data in _stream(EmbeddedNats(whole_stack.home.nats).url)]
    assert len(messages) > 10
    assert set().union(*(found(data, done) for data in messages)) == set()


async def _stream(url: str) -> AsyncIterator[bytes]:
    client = await nats.connect(url)
    try:
        jetstream = client.jetstream()
        state = (await jetstream.stream_info(bus.STREAM)).state
        for sequence in range(state.first_seq, state.last_seq + 1):
            message = await jetstream.get_msg(bus.STREAM, sequence)
            yield (message.data or b"") + str(message.headers or "").encode()
    finally:
        await client.close()


def test_no_metric_holds_a_word(whole_stack: Stack, done: Done) -> None:
    for url in whole_stack.metrics.values():
        assert found(whole_stack.http.get(url).text, done) == set()


def test_no_span_holds_a_word(whole_stack: Stack, done: Done) -> None:
    assert found("\n".join(str(span) for _, span in whole_stack.sink.spans).encode(), done) == set()
    assert not [span for _, span in whole_stack.sink.spans if found(span.SerializeToString(), done)]


def test_the_diagnostic_bundle_holds_no_word(whole_stack: Stack, done: Done, tmp_path: Path) -> None:
    from services.stack import bundle

    written = bundle.write(whole_stack.home, tmp_path / "bundle.tar.gz")
    with tarfile.open(written) as archive:
        inside = {name: found(data, done) for name, data in _members(archive)}
    assert inside
    assert {name: words for name, words in inside.items() if words} == {}


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        file = archive.extractfile(member)
        if file is not None:
            yield member.name, file.read()
