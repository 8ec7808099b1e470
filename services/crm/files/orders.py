"""Order lines of a CSV file, plain or gzipped: read once from the first row to the last, in batches."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache, partial
from itertools import compress, count
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, Final
from zoneinfo import ZoneInfo

from services.crm.domain.orders import RETURN, SALE, Lines
from services.crm.files.mapping import Mapping, MappingError

CENT: Final = Decimal("0.01")
NOT_READABLE: Final = "NOT_READABLE"
# Values of a column that are remembered at most.
KNOWN: Final = 1 << 16
# A field that is too long is refused with its row; the reader's own limit would end the whole file.
LONGEST_FIELD: Final = 1 << 24
# Excel and pandas write ids that were read as numbers with a decimal point.
_NUMBER_TAIL: Final = ".0"


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows up to number `last`, from 1, the heading not counted: lines with their numbers, and numbers of the rest."""

    last: int
    numbers: Sequence[int]
    lines: Lines
    unread: Sequence[int]


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
        csv.field_size_limit(LONGEST_FIELD)
        heading = next(self._rows, [])
        if missing := [one for one in mapping.columns if one not in heading]:
            self.close()
            raise MappingError(f"{path.name} has no column {', '.join(missing)}; it has {', '.join(heading)}")
        self._reader = _Reader(mapping, heading, zone)

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
            batch = self._reader.read(rows, first, skip)
            first += len(rows)
            if batch.last > skip:
                yield batch


class _Reader:
    """Reads rows column by column: values repeat, and what a column holds is worked out once for each value."""

    def __init__(self, mapping: Mapping, heading: Sequence[str], zone: ZoneInfo) -> None:
        self._mapping = mapping
        self._names = mapping.columns
        places = [heading.index(name) for name in self._names]
        self._width = max(places) + 1
        self._pick = itemgetter(*places)
        self._seen: defaultdict[str, int] = defaultdict(int)
        self._instant = lru_cache(KNOWN)(partial(_instant, zone=zone))

    def read(self, rows: Sequence[Sequence[str]], first: int, skip: int) -> Batch:
        """Rows of which the first has the number `first`; those up to `skip` are counted, not returned."""
        whole = [len(row) >= self._width for row in rows]
        columns = dict(zip(self._names, zip(*map(self._pick, compress(rows, whole)), strict=True), strict=False))
        lines = self._lines(columns, sum(whole)) if columns else Lines()
        numbers = list(compress(count(first), whole))
        last = first + len(rows) - 1
        # a quantity that cannot be read makes an amount that cannot
        good = [
            number > skip and at is not None and amount is not None
            for number, at, amount in zip(numbers, lines.at, lines.amount, strict=True)
        ]
        known = list(compress(numbers, good))
        unread = sorted(set(range(max(first, skip + 1), last + 1)).difference(known))
        return Batch(last, known, lines.only(good), unread)

    def _lines(self, columns: MappingType[str, Sequence[str]], number: int) -> Lines:
        """Lines of whole rows; what cannot be read in them is None."""
        mapping, blank = self._mapping, ("",) * number
        orders = list(map(str.strip, columns[mapping.order]))
        back = [bool(mapping.return_prefix) and order.startswith(mapping.return_prefix) for order in orders]
        times: list[Any] = list(map(self._instant, columns[mapping.time]))
        pieces: list[Any] = [
            abs(quantity) if quantity is not None and away else quantity
            for quantity, away in zip(map(_quantity, columns[mapping.quantity]), back, strict=True)
        ]
        amounts: list[Any] = list(map(_amount, columns[mapping.price], pieces))
        codes = (mapping.currency,) * number if mapping.one_currency else columns[mapping.currency]
        return Lines(
            orders,
            list(map(str.strip, columns[mapping.line])) if mapping.line else self._occurrences(orders),
            [RETURN if away else SALE for away in back],
            list(map(_buyer, columns.get(mapping.buyer, blank))),
            times,
            pieces,
            amounts,
            list(map(_code, codes)),
            list(map(str.strip, columns.get(mapping.product, blank))),
            list(map(str.strip, columns.get(mapping.refund_of, blank))),
        )

    def _occurrences(self, orders: Iterable[str]) -> list[str]:
        seen, found = self._seen, []
        for order in orders:
            seen[order] += 1
            found.append(str(seen[order]))
        return found


def _instant(text: str, *, zone: ZoneInfo) -> datetime | None:
    try:
        read = datetime.fromisoformat(text.strip())
        return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@lru_cache(KNOWN)
def _quantity(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


@lru_cache(KNOWN)
def _amount(price: str, quantity: int | None) -> int | None:
    """Hundredths of the currency, halves up."""
    if quantity is None:
        return None
    try:
        return int((Decimal(price) * quantity).quantize(CENT, ROUND_HALF_UP).scaleb(2))
    except (ValueError, InvalidOperation, OverflowError):
        return None


@lru_cache(KNOWN)
def _buyer(text: str) -> str:
    return text.strip().removesuffix(_NUMBER_TAIL)


@lru_cache(KNOWN)
def _code(text: str) -> str:
    return text.strip().upper()
