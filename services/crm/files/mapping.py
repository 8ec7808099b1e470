"""Which column of a file is what: `order=InvoiceNo,time=InvoiceDate,…`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

REQUIRED: Final = ("order", "time", "quantity", "price")
RETURN_PREFIX: Final = "return_prefix"
CURRENCY: Final = "currency"


class MappingError(ValueError):
    """The mapping cannot be used; the text says what to write."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Columns by what they hold. `line` may be absent: the occurrence within the order counts.

    `price` is of one piece. `currency` is a column, or a code of three capitals that holds for the whole file.
    An order whose number begins with `return_prefix` came back.
    """

    order: str
    time: str
    quantity: str
    price: str
    line: str = ""
    buyer: str = ""
    product: str = ""
    refund_of: str = ""
    currency: str = "CNY"
    return_prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> Mapping:
        """Read `field=Column,field=Column`; raises MappingError."""
        known = {field.name for field in fields(cls)}
        given: dict[str, str] = {}
        for part in filter(None, (one.strip() for one in text.split(","))):
            name, equals, column = (piece.strip() for piece in part.partition("="))
            if not equals or name not in known or not column:
                raise MappingError(f"{part!r}: write FIELD=COLUMN with one of {', '.join(sorted(known))}")
            given[name] = column
        if missing := [name for name in REQUIRED if name not in given]:
            raise MappingError(f"the mapping lacks {', '.join(missing)}")
        return cls(**given)

    @property
    def columns(self) -> list[str]:
        """Columns that the file must have."""
        named = [self.order, self.time, self.quantity, self.price, self.line, self.buyer, self.product, self.refund_of]
        return [*filter(None, named), *([] if self.one_currency else [self.currency])]

    @property
    def one_currency(self) -> bool:
        """Whether the whole file is in one currency."""
        return len(self.currency) == 3 and self.currency.isalpha() and self.currency.isupper()
