"""Segments: typed, explainable, and sure of everybody they take in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.domain.segment import (
    AllOf,
    AnyOf,
    Condition,
    Facts,
    Not,
    Segment,
    SegmentError,
    Test,
    check,
    explain,
    holds,
)

VIP = Condition("tier", Test.IS_ONE_OF, words=frozenset({"VIP"}))
SPENDER = Condition("spend_yuan", Test.AT_LEAST, number=1_000)
SILENT = Condition("days_since_purchase", Test.AT_LEAST, number=60)
TEA = Condition("interests", Test.HAS_ANY, words=frozenset({"tea", "cups"}))
MEMBER = Condition("member", Test.IS_TRUE)


@pytest.mark.parametrize(
    ("segment", "facts", "expected"),
    [
        (VIP, {"tier": "VIP"}, True),
        (VIP, {"tier": "CORE"}, False),
        (VIP, {}, None),
        (Not(VIP), {}, None),
        (SPENDER, {"spend_yuan": 1_000}, True),
        (SPENDER, {"spend_yuan": 999.99}, False),
        (TEA, {"interests": frozenset({"tea"})}, True),
        (TEA, {"interests": frozenset()}, False),
        (MEMBER, {"member": True}, True),
        (AllOf(()), {}, True),
        (AnyOf(()), {"tier": "VIP"}, False),
        (AllOf((VIP, SPENDER)), {"tier": "CORE"}, False),
        (AllOf((VIP, SPENDER)), {"tier": "VIP"}, None),
        (AnyOf((VIP, SPENDER)), {"tier": "VIP"}, True),
        (AnyOf((VIP, SPENDER)), {"tier": "CORE"}, None),
    ],
)
def test_what_holds(segment: Segment, facts: Facts, expected: bool | None) -> None:
    assert holds(segment, facts) is expected


def test_a_segment_says_why() -> None:
    reasons = explain(AllOf((VIP, Not(SPENDER), SILENT)), {"tier": "VIP", "spend_yuan": 2_000.0})
    assert [(one.condition.field, one.value, one.holds) for one in reasons] == [
        ("tier", "VIP", True),
        ("spend_yuan", 2_000.0, True),
        ("days_since_purchase", None, None),
    ]


values = st.fixed_dictionaries(
    {},
    optional={
        "tier": st.sampled_from(["VIP", "CORE"]),
        "spend_yuan": st.floats(0, 5_000),
        "days_since_purchase": st.integers(0, 400),
    },
)
segments = st.recursive(
    st.sampled_from([VIP, SPENDER, SILENT]),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, max_size=3).map(lambda parts: AllOf(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
    ),
    max_leaves=6,
)


@given(segments, values, values)
def test_learning_more_never_turns_a_verdict_round(segment: Segment, facts: Facts, more: Facts) -> None:
    before, after = holds(segment, facts), holds(segment, {**more, **facts})
    assert before is None or after is before


@pytest.mark.parametrize(
    ("field", "test", "words"),
    [("shoe_size", Test.AT_LEAST, ""), ("tier", Test.AT_LEAST, ""), ("tier", Test.IS_ONE_OF, "")],
)
def test_nonsense_is_refused_with_what_would_make_sense(field: str, test: Test, words: str) -> None:
    with pytest.raises(SegmentError, match=field):
        Condition(field, test, words=frozenset(words.split()))


def test_what_nobody_can_read_is_refused() -> None:
    deep: Segment = VIP
    for _ in range(5):
        deep = Not(deep)
    with pytest.raises(SegmentError, match="deep"):
        check(deep)
    with pytest.raises(SegmentError, match="50 conditions"):
        check(AllOf((VIP,) * 51))
    check(AllOf((VIP,) * 50))
