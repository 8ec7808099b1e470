"""Re-run a draw from its published record and its frame: `python verify_draw.py DRAW.json FRAME`.

Standard library only, and nothing of Kefu: copy this file anywhere. It shares no code with what draws; it was written
from the description in docs/domain/draws.md. Exit code 0 when everything agrees, 1 when something does not (it says
what), 2 when the files cannot be read.
"""

from __future__ import annotations

import array
import hashlib
import json
import pathlib
import sys
import uuid
from typing import Any

MAGIC = b"KEFU-FRAME-1\n"


class DisagreementError(Exception):
    """The record and what follows from secret and frame differ."""


def expect(holds: object, told: str) -> None:
    """Raise DisagreementError unless it holds."""
    if not holds:
        raise DisagreementError(told)


class Numbers:
    """Words of SHA-256(seed, label, counter), eight bytes each, the first byte the highest."""

    def __init__(self, seed: bytes, label: str) -> None:
        self.start = seed + label.encode("utf-8") + b"\n"
        self.counter = 0
        self.buffer = b""

    def word(self) -> int:
        """The next word."""
        if not self.buffer:
            self.buffer = hashlib.sha256(self.start + b"%d" % self.counter).digest()
            self.counter += 1
        taken, self.buffer = self.buffer[:8], self.buffer[8:]
        return int.from_bytes(taken, "big")

    def below(self, bound: int) -> int:
        """The next number below a bound, without favour for small ones."""
        whole = (2**64 // bound) * bound
        while True:
            word = self.word()
            if word < whole:
                return word % bound


def open_frame(path: str, expected: str) -> tuple[Any, ...]:
    """Check a frame's hash, shape and order; return its header and columns."""
    data = pathlib.Path(path).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    expect(found == expected, f"the frame's SHA-256 is {found}, the record says {expected}")
    expect(data.startswith(MAGIC), "the frame does not begin with KEFU-FRAME-1")
    end = data.index(b"\n", len(MAGIC)) + 1
    header = json.loads(data[len(MAGIC) : end])
    count = header["count"]
    expect(len(data) == end + count * 30, f"the frame must have {count} rows of 30 bytes")
    ids, at = data[end : end + 16 * count], end + 16 * count
    columns: list[Any] = []
    for kind, size in (("i", 4), ("I", 4), ("I", 4), ("B", 1), ("B", 1)):
        column = array.array(kind)
        column.frombytes(data[at : at + size * count])
        if sys.byteorder == "big":
            column.byteswap()
        columns.append(column)
        at += size * count
    ended, unit, person, channel, risk = columns
    before: tuple[Any, ...] | None = None
    for row in range(count):
        key = (unit[row], person[row], channel[row], ended[row], ids[16 * row : 16 * row + 16])
        expect(before is None or before < key, f"the frame's rows are not in order at row {row}")
        before = key
    sizes = [0] * len(header["units"])
    for one in unit:
        sizes[one] += 1
    expect(sizes == [size for _, size in header["units"]], "the frame's units have other sizes than its header says")
    return header, ids, ended, person, channel, risk


def take(seed: bytes, label: str, times: Any, wanted: int) -> list[int]:
    """Places drawn from a unit whose recordings ended at `times`."""
    total = len(times)
    wanted = min(wanted, total)
    if not wanted:
        return []
    numbers = Numbers(seed, label)
    begin = numbers.below(total)
    slices = list(range(wanted))
    for high in reversed(range(1, wanted)):
        low = numbers.below(high + 1)
        slices[high], slices[low] = slices[low], slices[high]
    places = []
    for k in range(wanted):
        a, b = (k * total) // wanted, ((k + 1) * total) // wanted
        rank = ((slices[k] << 64) + numbers.word()) * (b - a) // (wanted << 64)
        candidates = sorted(((begin + j) % total for j in range(a, b)), key=lambda place: (times[place], place))
        places.append(candidates[rank])
    return sorted(places)


def stand_in(seed: bytes, unit: str, first: int, last: int, gone: set[int], number: int) -> int | None:
    """The row that replaces one of a unit: the n-th of those that are left."""
    left = [row for row in range(first, last) if row not in gone]
    return left[Numbers(seed, f"replace/{unit}/{number}").below(len(left))] if left else None


def verify(record: dict[str, Any], frame_path: str) -> str:
    """Check everything that the record claims; returns a line for people."""
    secret = bytes.fromhex(record["secret"])
    expect(hashlib.sha256(secret).hexdigest() == record["commitment"], "the secret is not the one committed to")
    expect(record["committed_at"] <= record["frozen_after"], "the seed was committed too late to be fair")
    weekly = record["kind"] == "RANDOM"
    expect(not weekly or record["frozen_after"] == record["period_start"], "a week's seed precedes the week itself")
    header, ids, ended, person, channel, risk = open_frame(frame_path, record["frame_sha256"])
    for name in ("site", "period_start", "period_end"):
        expect(header[name] == record[name], f"frame and record name another {name}")
    mixed = b"kefu-draw-1\n" + secret.hex().encode() + b"\n" + record["frame_sha256"].encode()
    seed = hashlib.sha256(mixed).digest()
    expect(seed.hex() == record["seed"], "the seed is not that of secret and frame")

    def recording(row: int) -> str:
        return str(uuid.UUID(bytes=ids[16 * row : 16 * row + 16]))

    first, kind = 0, record["kind"]
    expected: list[tuple[int, str, str, float]] = []
    rows: dict[str, list[int]] = {}
    ranges: dict[str, tuple[int, int]] = {}
    beside: dict[str, set[int]] = {unit: set() for unit, _ in header["units"]}
    named, frozen = [one["unit"] for one in record["units"]], [unit for unit, _ in header["units"]]
    expect(named == frozen, f"the record has the units {named}, the frame {frozen}")
    for (unit, size), told in zip(header["units"], record["units"], strict=True):
        places = take(seed, f"unit/{unit}", ended[first : first + size], record["per_unit"])
        missing = record["per_unit"] - len(places)
        owed = {"unit": unit, "size": size, "wanted": record["per_unit"], "drawn": len(places), "shortfall": missing}
        expect(told == owed, f"unit {unit!r}: the record says {told}, the draw gives {owed}")
        ranges[unit], rows[unit] = (first, first + size), [first + place for place in places]
        expected += [(row, kind, unit, len(places) / size) for row in rows[unit]]
        first += size
    taken = {row for found in rows.values() for row in found}
    candidates = [row for row in range(header["count"]) if risk[row] and row not in taken]
    number = min(record["extras"], len(candidates))
    numbers, chosen = Numbers(seed, "risk"), set[int]()
    while len(chosen) < number:
        chosen.add(numbers.below(len(candidates)))
    for row in sorted(candidates[one] for one in chosen):
        unit = next(name for name, (low, high) in ranges.items() if low <= row < high)
        expected.append((row, "RISK", unit, number / len(candidates)))
        beside[unit].add(row)
    truth = [
        {
            "recording": recording(row),
            "kind": why,
            "unit": unit,
            "person": header["people"][person[row]],
            "channel": header["channels"][channel[row]],
            "probability": chance,
        }
        for row, why, unit, chance in expected
    ]
    expect(len(record["selected"]) == len(truth), f"{len(truth)} are drawn, the record has {len(record['selected'])}")
    for claimed, drawn in zip(record["selected"], truth, strict=True):
        expect(claimed == drawn, f"the record says {claimed}, the draw gives {drawn}")
    replaced: dict[str, int] = {}
    for one in record["replacements"]:
        unit = one["unit"]
        expect(one["reason"], f"the replacement of {one['recording']} has no reason")
        expect(one["recording"] in {recording(row) for row in rows[unit]}, f"{one['recording']} was not drawn")
        low, high = ranges[unit]
        other = stand_in(seed, unit, low, high, set(rows[unit]) | beside[unit], replaced.get(unit, 0))
        replaced[unit] = replaced.get(unit, 0) + 1
        instead = None if other is None else recording(other)
        expect(
            one["replacement"] == instead,
            f"{one['recording']} is replaced by {one['replacement']}, not by {instead}",
        )
        if other is not None:
            rows[unit].append(other)
    short = sum(unit["shortfall"] for unit in record["units"])
    return (
        f"agrees: {len(truth)} of {header['count']} recordings, {len(record['units'])} units, shortfall {short},"
        f" {len(record['replacements'])} replaced"
    )


def main(arguments: list[str]) -> int:
    """Verify; returns the exit code."""
    if len(arguments) != 2:
        print("usage: verify_draw.py DRAW.json FRAME", file=sys.stderr)
        return 2
    try:
        record = json.loads(pathlib.Path(arguments[0]).read_text(encoding="utf-8"))
        print(verify(record, arguments[1]))
    except DisagreementError as error:
        print(f"does not agree: {error}", file=sys.stderr)
        return 1
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        print(f"cannot be read: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
