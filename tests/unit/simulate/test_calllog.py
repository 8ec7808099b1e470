from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pytest

from services.simulate.calllog import LogError, parse, read
from tests.unit.simulate.logs import HEADING, answered, hung_up, log

NINE = 9 * 3600


def test_waiting_begins_in_the_queue_or_at_the_end_of_the_vru() -> None:
    waited, at_once = log(answered(1, at=NINE, wait=30, talk=60), answered(2, at=NINE + 5, wait=0, talk=60)).calls
    assert (waited.arrival, waited.wait, waited.queued, waited.service) == (NINE, 30, True, 60)
    assert (at_once.arrival, at_once.wait, at_once.queued) == (NINE + 5, 0, False)


def test_a_service_that_starts_before_the_vru_s_end_was_no_wait() -> None:
    row = answered(1, at=NINE, wait=0, talk=60).split("\t")
    row[13] = "8:59:59"
    (call,) = log("\t".join(row)).calls
    assert call.wait == 0


def test_hanging_up_before_queueing_is_left_in_the_vru() -> None:
    waited, vru = log(hung_up(1, at=NINE, wait=40), hung_up(2, at=NINE, wait=0)).calls
    assert (waited.abandoned, waited.left_in_vru, waited.wait) == (True, False, 40)
    assert (vru.abandoned, vru.left_in_vru) == (False, True)


def test_one_call_id_on_two_days_is_two_calls_and_twice_on_one_line_is_malformed() -> None:
    first = answered(1, at=NINE, wait=0, talk=60)
    found = log(first, first.replace("990201", "990202"), first)
    assert [call.day for call in found.calls] == [date(1999, 2, 1), date(1999, 2, 2)]
    assert [(row.line, "came before" in row.reason) for row in found.malformed] == [(4, True)]
    assert found.days == (date(1999, 2, 1), date(1999, 2, 2))
    assert len(found.of(date(1999, 2, 1)).malformed) == 1


GOOD = answered(1, at=NINE, wait=0, talk=60)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (GOOD.replace("9:01:00", "0:01:00"), "negative service time"),
        (GOOD.replace("AGENT", "AGNT"), "unknown outcome"),
        (GOOD.replace("\t9:00:00\t10", "\tnoon\t10"), "vru_exit: 'noon' is no time"),
        (GOOD.replace("990201", "990231"), "date: '990231' is no date"),
        (GOOD.replace("9:01:00", "9:61:00"), "ser_exit"),
        ("AA0101\t1", "another number of columns"),
        (GOOD + "\textra", "another number of columns"),
        (GOOD.replace("\t0\tPS", "\thigh\tPS"), "priority"),
        ("", "another number of columns"),
    ],
)
def test_a_malformed_row_is_named_with_its_line_and_the_rest_is_kept(row: str, reason: str) -> None:
    found = log(row, answered(2, at=NINE, wait=0, talk=60))
    assert len(found.calls) == 1
    ((line, words),) = [(one.line, one.reason) for one in found.malformed]
    assert line == 2
    assert reason in words


def test_phantoms_are_neither_answered_nor_abandoned() -> None:
    (call,) = log(hung_up(1, at=NINE, wait=3).replace("HANG", "PHANTOM")).calls
    assert (call.answered, call.abandoned, call.left_in_vru) == (False, False, False)


def test_plain_and_gzipped_files_read_the_same(tmp_path: Path) -> None:
    text = "\n".join([HEADING, GOOD, ""])
    (tmp_path / "log.tsv").write_text(text)
    (tmp_path / "log.tsv.gz").write_bytes(gzip.compress(text.encode()))
    assert read(tmp_path / "log.tsv") == read(tmp_path / "log.tsv.gz")


@pytest.mark.parametrize("content", [b"", b"a\tb\n1\t2\n", b"\x1f\x8b broken"])
def test_what_is_no_call_log_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "log.tsv.gz"
    file.write_bytes(content if content.startswith(b"\x1f") else gzip.compress(content))
    with pytest.raises(LogError):
        read(file)


def test_a_missing_file_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="nothing"):
        read(tmp_path / "nothing.tsv")


def test_the_heading_says_where_columns_are() -> None:
    columns = HEADING.split("\t")
    values = GOOD.split("\t")
    shuffled = [columns[-1], *columns[:-1]], [values[-1], *values[:-1]]
    assert parse(["\t".join(row) for row in shuffled]).calls == log(GOOD).calls
