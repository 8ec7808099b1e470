"""A segment as plain JSON values: how it is stored, and how a page sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.crm.domain.segment import AllOf, AnyOf, Condition, Not, Segment, SegmentError, Test, check


def plain(segment: Segment) -> dict[str, Any]:
    """As JSON: {"all": […]}, {"any": […]}, {"not": …} or {"field", "test", "number" or "words"}."""
    match segment:
        case AllOf(parts):
            return {"all": [plain(part) for part in parts]}
        case AnyOf(parts):
            return {"any": [plain(part) for part in parts]}
        case Not(part):
            return {"not": plain(part)}
        case Condition(field, test, number, words):
            told: dict[str, Any] = {"field": field, "test": test.value}
            if test in (Test.AT_LEAST, Test.AT_MOST):
                told["number"] = number
            elif words:
                told["words"] = sorted(words)
            return told


def read(form: Any) -> Segment:
    """The segment of such a form; raises SegmentError naming what is wrong with it."""
    segment = _read(form, 0)
    check(segment)
    return segment


def _read(form: Any, depth: int) -> Segment:
    if depth > 50:  # before Python's own limit; `check` says what people may write
        raise SegmentError("a segment is nested at most 5 deep")
    if not isinstance(form, Mapping):
        raise SegmentError("a segment is an object with all, any, not or field")
    match dict(form):
        case {"all": list(parts), **rest} if not rest:
            return AllOf(tuple(_read(part, depth + 1) for part in parts))
        case {"any": list(parts), **rest} if not rest:
            return AnyOf(tuple(_read(part, depth + 1) for part in parts))
        case {"not": part, **rest} if not rest:
            return Not(_read(part, depth + 1))
        case {"field": str(field), "test": str(test), **rest} if rest.keys() <= {"number", "words"}:
            return Condition(field, _test(test), number=_number(rest.get("number")), words=_words(rest.get("words")))
    raise SegmentError("a segment has all, any or not, or field and test with number or words")


def _test(word: str) -> Test:
    if word not in Test.__members__:
        raise SegmentError(f"{word[:40]} is none of {', '.join(Test.__members__)}")
    return Test(word)


def _number(value: Any) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise SegmentError("number must be a number")
    return float(value)


def _words(value: Any) -> frozenset[str]:
    if value is None:
        return frozenset()
    if not isinstance(value, list) or not all(isinstance(one, str) and 0 < len(one) <= 100 for one in value):
        raise SegmentError("words must be a list of texts")
    return frozenset(value)
