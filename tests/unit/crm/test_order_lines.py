from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from services.crm.domain.customer import File, normal_phone
from services.crm.domain.orders import MESSAGES, SALE, Line, Lines, faults, fen

NOW = datetime(2026, 6, 1, tzinfo=UTC)
GOOD = Line("o1", "1", SALE, "ann", NOW - timedelta(hours=1), 1, 1_000, "CNY", "umbrella")
RATES = {"CNY": Fraction(1), "GBP": Fraction("9.2")}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({}, None),
        ({"buyer": ""}, None),
        ({"amount": 0}, None),
        ({"at": NOW + timedelta(hours=23)}, None),
        ({"order": ""}, "ID_MISSING"),
        ({"line": "x" * 65}, "ID_TOO_LONG"),
        ({"product": "n" * 1_000_000}, "PRODUCT_TOO_LONG"),
        ({"buyer": "b" * 201}, "BUYER_TOO_LONG"),
        ({"quantity": -3}, "QUANTITY_NOT_POSITIVE"),
        ({"amount": -1}, "AMOUNT_NEGATIVE"),
        ({"amount": 10**14}, "TOO_LARGE"),
        ({"currency": "QQQ"}, "CURRENCY_UNKNOWN"),
        ({"at": datetime(2099, 1, 1, tzinfo=UTC)}, "TIME_IN_FUTURE"),
        ({"at": datetime(1970, 1, 1, tzinfo=UTC)}, "TIME_TOO_OLD"),
    ],
)
def test_each_bad_line_has_a_rule_and_words_in_both_languages(changes: dict[str, Any], rule: str | None) -> None:
    lines = Lines.of([GOOD, GOOD._replace(**changes), GOOD])
    assert faults(lines, RATES, NOW) == ({} if rule is None else {1: rule})
    assert rule is None or all(MESSAGES[rule])


def test_other_currencies_count_in_fen_with_halves_rounded_up() -> None:
    assert fen(1_530, RATES["GBP"]) == 14_076
    assert fen(1, Fraction("0.5")) == 1
    assert fen(1, Fraction("0.49")) == 0
    assert fen(777, RATES["CNY"]) == 777


def test_a_masked_file_shows_nothing_that_tells_who_it_is() -> None:
    file = File("王小明", "+8613812348000", "xiaoming@example.com", "上海市南京路一号")
    shown = file.masked()
    assert (shown.display_name, shown.phone) == ("王**", "+86****8000")
    assert (shown.email, shown.address) == ("x***@example.com", "上**")
    assert File(phone="123456").masked().phone == "****"
    assert File().masked() == File()
    assert normal_phone("+86 138-1234-8000") == "13812348000"
