"""When a campaign comes round, what its rounds are about, what its texts become, and how a segment is written down."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.crm.domain.campaign import Addressee, Campaign, Draft, Rules, filled, next_round, occasion_of
from services.crm.domain.guard import Purpose
from services.crm.domain.occasions import first_days
from services.crm.domain.segment import AllOf, AnyOf, Condition, Not, SegmentError, Test
from services.crm.domain.segment_form import plain, read
from services.policy.chinese_days import names

SHANGHAI = Rules(ZoneInfo("Asia/Shanghai"), intervals={"NEW_PRODUCT": "P2W", "SURVEY": "P1M"})


def campaign(kind: str, *, recurring: bool = False, state: str = "RUNNING") -> Campaign:
    draft = Draft(kind, Purpose.CARE, "t", "s", "b", ("EMAIL",), AllOf(()), 0.0, 14, recurring)
    return Campaign(
        site="shop",
        id="c1",
        draft=draft,
        seed=b"seed",
        state=state,
        version=1,
        author="ann",
        approver="bob",
        reason="",
        start_at=None,
        began_at=None,
        ended_at=None,
        drawn_to=None,
        occasion="",
        day=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def nothing(_day: date) -> str | None:
    return None


def test_what_a_round_is_about() -> None:
    day = date(2026, 10, 1)
    assert occasion_of(campaign("BIRTHDAY"), day, nothing) == "birthday/2026"
    assert occasion_of(campaign("HOLIDAY"), day, nothing) is None
    assert occasion_of(campaign("HOLIDAY"), day, {day: "国庆节"}.get) == "holiday/国庆节/2026"
    assert occasion_of(campaign("OFFER"), day, nothing) == ""
    assert occasion_of(campaign("SURVEY", recurring=True), day, nothing) == "round/c1/2026-10-01"


@pytest.mark.parametrize(
    ("kind", "recurring", "following"),
    [
        ("BIRTHDAY", True, datetime(2026, 2, 1, 1, 30, tzinfo=UTC)),
        ("NEW_PRODUCT", True, datetime(2026, 2, 14, 1, 30, tzinfo=UTC)),
        ("SURVEY", True, datetime(2026, 2, 28, 1, 30, tzinfo=UTC)),
        ("NEW_PRODUCT", False, None),
        ("GIVEBACK", True, None),  # the profile has no interval for it
    ],
)
def test_when_the_next_round_begins(kind: str, *, recurring: bool, following: datetime | None) -> None:
    at = datetime(2026, 1, 31, 1, 30, tzinfo=UTC)
    assert next_round(campaign(kind, recurring=recurring), at, SHANGHAI) == following


def test_rounds_keep_their_wall_time_when_clocks_change() -> None:
    london = Rules(ZoneInfo("Europe/London"))
    before = datetime(2026, 3, 28, 9, tzinfo=UTC)  # 09:00 in winter time, clocks go forward the night after
    found = next_round(campaign("BIRTHDAY", recurring=True), before, london)
    assert found == datetime(2026, 3, 29, 8, tzinfo=UTC)


def test_nobody_s_name_is_read_as_a_placeholder() -> None:
    text = "{name}: {coupon} {answer} {other}"
    assert filled(text, Addressee("a@b", "{coupon}"), coupon="K1", answer="T") == "{coupon}: K1 T {other}"


def test_the_seed_is_opened_once_the_campaign_is_over() -> None:
    assert [campaign("OFFER", state=state).open_seed for state in ("DRAFT", "RUNNING", "ENDED")] == [
        None,
        None,
        b"seed",
    ]


def test_a_segment_is_written_down_and_read_back() -> None:
    segment = AllOf(
        (
            AnyOf((Condition("tier", Test.IS_ONE_OF, words=frozenset({"VIP", "CORE"})),)),
            Not(Condition("member", Test.IS_TRUE)),
            Condition("spend_yuan", Test.AT_LEAST, number=0),
            Condition("interests", Test.HAS_ANY, words=frozenset({"tea"})),
        )
    )
    assert read(plain(segment)) == segment


@pytest.mark.parametrize(
    "form",
    [
        "all",
        {},
        {"all": [], "any": []},
        {"field": "orders", "test": "MORE"},
        {"field": "orders", "test": "AT_LEAST", "number": "3"},
        {"field": "orders", "test": "AT_LEAST", "number": True},
        {"field": "tier", "test": "IS_ONE_OF", "words": ["", "VIP"]},
        {"field": "tier", "test": "IS_ONE_OF", "words": "VIP"},
    ],
)
def test_a_form_that_is_no_segment_is_refused(form: Any) -> None:
    with pytest.raises(SegmentError):
        read(form)


def test_a_form_nested_without_end_is_refused_before_python_gives_up() -> None:
    form: dict[str, Any] = {"all": []}
    for _ in range(5_000):
        form = {"not": form}
    with pytest.raises(SegmentError):
        read(form)


@pytest.mark.parametrize(
    ("year", "spring", "autumn"),
    [(2025, date(2025, 1, 28), date(2025, 10, 6)), (2026, date(2026, 2, 16), date(2026, 9, 25))],
)
def test_holidays_begin_with_their_eve_and_days_off_in_lieu_are_none(year: int, spring: date, autumn: date) -> None:
    found = first_days(names(year))
    assert set(found.values()) == {"元旦", "春节", "清明节", "劳动节", "端午节", "中秋节", "国庆节"}
    assert len(found) == 7
    assert (found[spring], found[autumn]) == ("春节", "中秋节")
