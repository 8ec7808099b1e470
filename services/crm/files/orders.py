"""Order lines of a CSV file, plain or gzipped: read once from the first row to the last, in batches."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias
from zoneinfo import ZoneInfo

from services.crm.domain.orders import RETURN, SALE, Line
from services.crm.files.mapping import Mapping, MappingError

CENT: Final = Decimal("0.01")
NOT_READABLE: Final = "NOT_READABLE"
# Excel and pandas write ids that were read as numbers with a decimal point.
_NUMBER_TAIL: Final = ".0"

Row: TypeAlias = Line | str
"""A line, or the rule that keeps it from being one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows with the number of the first one, from 1, the heading not counted."""

    first: int
    rows: list[Row]


def identity(path: Path, mapping: Mapping) -> str:
    """An import is the same when file and mapping are: a hash of both, as text of 32 characters."""
    digest = hashlib.blake2b(repr(mapping).encode(), digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class OrderFile:
    """An open file; `position` tells how many of its `size` bytes are read."""

    def __init__(self, path: Path, mapping: Mapping, zone: ZoneInfo) -> None:
        """Raises MappingError when a column of the mapping is missing."""
        self.size = path.stat().st_size
        self._raw: BinaryIO = path.open("rb")
        plain = gzip.GzipFile(fileobj=self._raw) if path.suffix == ".gz" else self._raw
        self._rows = csv.reader(io.TextIOWrapper(plain, encoding="utf-8-sig", errors="replace", newline=""))
        heading = next(self._rows, [])
        if missing := [one for one in mapping.columns if one not in heading]:
            self.close()
            raise MappingError(f"{path.name} has no column {', '.join(missing)}; it has {', '.join(heading)}")
        self._read = _reader(mapping, heading, zone)

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._raw.tell()

    def close(self) -> None:
        """Close it."""
        self._raw.close()

    def batches(self, size: int, *, skip: int = 0) -> Iterator[Batch]:
        """Batches of rows; the first `skip` rows are read for the occurrences in them only."""
        first = 1
        while rows := list(itertools.islice(self._rows, size)):
            lines = [self._read(row) for row in rows]
            done = max(0, min(len(lines), skip - first + 1))
            if done < len(lines):
                yield Batch(first + done, lines[done:])
            first += len(rows)


def _reader(mapping: Mapping, heading: list[str], zone: ZoneInfo) -> Callable[[list[str]], Row]:
    at = {name: heading.index(name) for name in mapping.columns}
    order_at, time_at = at[mapping.order], at[mapping.time]
    quantity_at, price_at = at[mapping.quantity], at[mapping.price]
    line_at, buyer_at = at.get(mapping.line), at.get(mapping.buyer)
    product_at, refund_at = at.get(mapping.product), at.get(mapping.refund_of)
    currency_at = None if mapping.one_currency else at[mapping.currency]
    occurrences: defaultdict[str, int] = defaultdict(int)

    @cache
    def instant(text: str) -> datetime:
        read = datetime.fromisoformat(text.strip())
        return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)

    def read(row: list[str]) -> Row:
        try:
            order = row[order_at].strip()
            occurrences[order] += 1
            back = bool(mapping.return_prefix) and order.startswith(mapping.return_prefix)
            quantity = int(row[quantity_at])
            if back:
                quantity = abs(quantity)
            return Line(
                order,
                str(occurrences[order]) if line_at is None else row[line_at].strip(),
                RETURN if back else SALE,
                "" if buyer_at is None else row[buyer_at].strip().removesuffix(_NUMBER_TAIL),
                instant(row[time_at]),
                quantity,
                _amount(row[price_at], quantity),
                mapping.currency if currency_at is None else row[currency_at].strip().upper(),
                "" if product_at is None else row[product_at].strip(),
                "" if refund_at is None else row[refund_at].strip(),
            )
        except (ValueError, IndexError, InvalidOperation, OverflowError):
            return NOT_READABLE

    return read


@cache
def _amount(price: str, quantity: int) -> int:
    """Hundredths of the currency, halves up."""
    return int((Decimal(price) * quantity).quantize(CENT, ROUND_HALF_UP).scaleb(2))
