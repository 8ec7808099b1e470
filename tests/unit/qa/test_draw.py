"""Draws: exact numbers, no repetition, fair chances, spread; and the verifier that shares no code agrees."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from services.qa import verify_draw
from services.qa.domain import draw, frame, record
from services.qa.domain.draw import Stream

SECRET = bytes(range(32))
SEEDS = 10_000
WEEK_S = 7 * 86_400
ABOUT = {"site": "desk", "period_start": "2026-11-15T16:00:00Z", "period_end": "2026-11-22T16:00:00Z"}


def rows(units: list[int], *, people: int = 3, channels: int = 2, seed: int = 1) -> frame.Rows:
    """Recordings of units with these sizes, in no order."""
    made = np.random.default_rng(seed)
    size = sum(units)
    return frame.Rows(
        ids=np.frombuffer(made.bytes(16 * size), "V16"),
        ended=made.integers(0, WEEK_S, size).astype("<i4"),
        unit=made.permutation(np.repeat(np.arange(len(units)), units)).astype("<u4"),
        person=made.integers(0, people, size).astype("<u4"),
        channel=made.integers(0, channels, size).astype("u1"),
        risk=(made.random(size) < 0.2).astype("u1"),
    )


def frozen(folder: Path, units: list[int], **options: Any) -> frame.Frame:
    """A frame on disk."""
    given_rows = rows(units, **options)
    people = [f"p{number}" for number in range(options.get("people", 3))]
    names = [f"u{number}" for number in range(len(units))]
    path = folder / "frame"
    digest = frame.write(path, ABOUT, given_rows, units=names, people=people, channels=["WEB", "PHONE"])
    return frame.read(path, digest)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(1, 12), st.binary(min_size=32, max_size=32))
def test_every_unit_gets_exactly_its_number_or_all_it_has(sizes: list[int], number: int, seed: bytes) -> None:
    made = rows(sizes)
    ordered = made.sorted()
    start = 0
    for index, size in enumerate(sizes):
        ended = ordered.ended[start : start + size]
        picks = draw.sample(Stream(seed, f"unit/{index}"), ended, number)
        assert len(picks) == min(number, size)
        assert len(set(picks)) == len(picks)
        assert all(0 <= pick < size for pick in picks)
        start += size


@pytest.mark.parametrize(("size", "number"), [(23, 5), (7, 5), (12, 1), (40, 8)])
def test_each_recording_is_as_likely_as_any_other(size: int, number: int) -> None:
    ended = rows([size]).sorted().ended
    counts = np.zeros(size)
    for seed in range(SEEDS):
        counts[draw.sample(Stream(seed.to_bytes(32), "unit/u"), ended, number)] += 1
    # each count varies as a binomial one, so that Pearson's statistic has the mean N (1 - n/N): scaled to N - 1 here
    expected = SEEDS * number / size
    statistic = float(((counts - expected) ** 2 / expected).sum()) / (1 - number / size)
    assert stats.chi2.sf(statistic * (size - 1) / size, size - 1) > 1e-4
    assert abs(counts / SEEDS - number / size).max() < 5 * math.sqrt(number / size * (1 - number / size) / SEEDS)


def test_a_bound_of_a_stream_is_met_evenly() -> None:
    stream = Stream(SECRET, "even")
    counts = Counter(stream.below(7) for _ in range(70_000))
    assert stats.chisquare([counts[number] for number in range(7)]).pvalue > 1e-4


@given(st.integers(1, 60), st.integers(1, 12), st.binary(min_size=32, max_size=32))
def test_people_and_channels_get_their_share(size: int, number: int, seed: bytes) -> None:
    ordered = rows([size]).sorted()
    picks = draw.sample(Stream(seed, "unit/u"), ordered.ended, number)
    strata = list(zip(ordered.person.tolist(), ordered.channel.tolist(), strict=True))
    drawn = Counter(strata[pick] for pick in picks)
    for stratum, there in Counter(strata).items():
        assert abs(drawn[stratum] - len(picks) * there / size) < 2


def test_a_sample_is_spread_over_the_week() -> None:
    ended = np.sort(np.random.default_rng(3).integers(0, WEEK_S, 7_000)).astype("<i4")
    mixed = np.random.default_rng(4).permutation(ended)  # as where persons and channels come before time
    days = Counter[int]()
    for seed in range(300):
        picks = draw.sample(Stream(seed.to_bytes(32), "unit/u"), mixed, 7)
        days[len({int(mixed[pick]) // 86_400 for pick in picks})] += 1
    # seven independent moments fall on seven different days in 0.6 % of weeks, on at least six in 11 %
    assert (days[7] + days[6] + days[5]) / 300 > 0.95


def test_a_frame_is_named_by_its_content(tmp_path: Path) -> None:
    made = frozen(tmp_path, [40, 0, 3])
    assert made.units() == [("u0", 0, 40), ("u1", 40, 40), ("u2", 40, 43)]
    path = tmp_path / "frame"
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    with pytest.raises(frame.FrameError, match="SHA-256"):
        frame.read(path, made.sha256)


def test_rows_in_any_order_make_the_same_frame(tmp_path: Path) -> None:
    made = rows([50, 20])
    order = np.random.default_rng(9).permutation(70)
    other = frame.Rows(*(getattr(made, name)[order] for name in frame.COLUMNS))
    names = {"units": ["a", "b"], "people": ["x", "y", "z"], "channels": ["WEB", "PHONE"]}
    assert frame.write(tmp_path / "a", ABOUT, made, **names) == frame.write(tmp_path / "b", ABOUT, other, **names)


def published(made: frame.Frame, *, extras: int = 4, replaced: int = 0) -> dict[str, Any]:
    """The published record of a draw, the first picks replaced."""
    seed = draw.seed_of(SECRET, made.sha256)
    picks, units = draw.draw(made, seed, 5)
    picks += draw.extras(made, seed, extras, [pick.row for pick in picks])
    replacements = []
    taken = [pick.row for pick in picks if pick.unit == "u0"]
    drawn = [pick.row for pick in picks if pick.unit == "u0" and pick.kind == draw.RANDOM]
    for count, row in enumerate(drawn[:replaced]):
        other = draw.replacement(made, seed, "u0", taken, count)
        replacements.append(
            record.Replacement(
                made.recording(row), "u0", "NO_CONTENT", None if other is None else made.recording(other)
            )
        )
        taken = [*taken, *([] if other is None else [other])]
    facts = record.Facts(
        kind=draw.RANDOM,
        secret=SECRET,
        committed_at="2026-11-13T00:00:00Z",
        frozen_after="2026-11-15T16:00:00Z",
        per_unit=5,
        extras=extras,
        rule="AGENT",
        profile_version="v",
    )
    return record.to_json(facts, made, picks, units, replacements)


def judged(folder: Path, told: dict[str, Any]) -> tuple[int, str]:
    """What the verifier says, run as a program of its own without anything of Kefu on its path."""
    (folder / "DRAW.json").write_text(json.dumps(told))
    program = Path(verify_draw.__file__)
    command = [sys.executable, "-I", "-S", str(program), str(folder / "DRAW.json"), str(folder / "frame")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    return done.returncode, done.stdout + done.stderr


def test_anyone_can_run_a_draw_again(tmp_path: Path) -> None:
    made = frozen(tmp_path, [60, 3, 0, 25])
    told = published(made, replaced=2)
    assert [unit["shortfall"] for unit in told["units"]] == [0, 2, 5, 0]
    code, said = judged(tmp_path, told)
    assert (code, said.split(":")[0]) == (0, "agrees"), said


CHANGES: dict[str, Any] = {
    "another recording": lambda told: told["selected"][0].update(recording=str(UUID(int=5))),
    "one left out": lambda told: told["selected"].pop(),
    "a random one passed off as at risk": lambda told: told["selected"][0].update(kind="RISK"),
    "another chance": lambda told: told["selected"][0].update(probability=0.5),
    "another secret": lambda told: told.update(secret="00" * 32),
    "another seed": lambda told: told.update(seed="00" * 32),
    "committed after the period began": lambda told: told.update(committed_at="2026-11-20T00:00:00Z"),
    "a later limit for the promise": lambda told: told.update(
        committed_at="2026-11-20T00:00:00Z", frozen_after="2026-11-21T00:00:00Z"
    ),
    "a shortfall hidden": lambda told: told["units"][1].update(shortfall=0),
    "a unit left out": lambda told: told["units"].pop(),
    "another replacement": lambda told: told["replacements"][0].update(replacement=str(UUID(int=5))),
    "a replacement without a reason": lambda told: told["replacements"][0].update(reason=""),
    "another frame": lambda told: told.update(frame_sha256="00" * 32),
    "another period": lambda told: told.update(period_end="2026-11-29T16:00:00Z"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_verifier_finds(change: str, tmp_path: Path) -> None:
    told = published(frozen(tmp_path, [60, 3, 25]), replaced=1)
    assert judged(tmp_path, told)[0] == 0
    CHANGES[change](told)
    code, said = judged(tmp_path, told)
    assert (code, said.split(":")[0]) == (1, "does not agree"), said


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.integers(0, 9))
def test_both_programs_draw_the_same(sizes: list[int], extras: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = frozen(Path(folder), sizes)
        assert verify_draw.verify(published(made, extras=extras, replaced=3), str(Path(folder) / "frame"))


def test_extras_are_at_risk_and_never_among_the_random_ones(tmp_path: Path) -> None:
    made = frozen(tmp_path, [60, 30])
    picks, _ = draw.draw(made, SECRET, 5)
    found = draw.extras(made, SECRET, 6, [pick.row for pick in picks])
    assert len(found) == 6
    assert {pick.row for pick in found}.isdisjoint(pick.row for pick in picks)
    assert all(made.columns["risk"][pick.row] for pick in found)
    assert {pick.kind for pick in found} == {"RISK"}
