"""A segment: a typed expression over what is known of a customer, which can say why it holds.

What is not known is neither true nor false (Kleene's logic): a customer belongs only where the whole is certain, so
that "not a VIP" never takes in somebody of whom no tier is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

MOST_CONDITIONS: Final = 50
DEEPEST: Final = 5


class Kind(StrEnum):
    """What a field holds."""

    NUMBER = "NUMBER"
    WORD = "WORD"
    WORDS = "WORDS"
    FLAG = "FLAG"


class Test(StrEnum):
    """What can be asked of a field."""

    __test__ = False

    AT_LEAST = "AT_LEAST"
    AT_MOST = "AT_MOST"
    IS_ONE_OF = "IS_ONE_OF"
    HAS_ANY = "HAS_ANY"
    IS_TRUE = "IS_TRUE"


TESTS: Final[Mapping[Kind, frozenset[Test]]] = MappingProxyType(
    {
        Kind.NUMBER: frozenset({Test.AT_LEAST, Test.AT_MOST}),
        Kind.WORD: frozenset({Test.IS_ONE_OF}),
        Kind.WORDS: frozenset({Test.HAS_ANY}),
        Kind.FLAG: frozenset({Test.IS_TRUE}),
    }
)
# What can be asked about; `store/facts` fills it in. Units are in the names.
FIELDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "tier": Kind.WORD,
        "lifecycle": Kind.WORD,
        "spend_yuan": Kind.NUMBER,
        "orders": Kind.NUMBER,
        "days_since_purchase": Kind.NUMBER,
        "days_since_contact": Kind.NUMBER,
        "p_alive": Kind.NUMBER,
        "points": Kind.NUMBER,
        "complaints": Kind.NUMBER,
        "birthday_month": Kind.NUMBER,
        "member": Kind.FLAG,
        "channel": Kind.WORD,
        "interests": Kind.WORDS,
    }
)

Value: TypeAlias = float | str | frozenset[str] | bool | None
Facts: TypeAlias = Mapping[str, Value]


class SegmentError(ValueError):
    """A segment makes no sense; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One question. `number` for AT_LEAST and AT_MOST, `words` for IS_ONE_OF and HAS_ANY."""

    field: str
    test: Test
    number: float = 0.0
    words: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Check the types; raises SegmentError."""
        kind = FIELDS.get(self.field)
        if kind is None:
            raise SegmentError(f"{self.field} is none of {', '.join(FIELDS)}")
        if self.test not in TESTS[kind]:
            raise SegmentError(f"{self.field} can be asked {', '.join(sorted(TESTS[kind]))}, not {self.test}")
        if self.test in (Test.IS_ONE_OF, Test.HAS_ANY) and not self.words:
            raise SegmentError(f"{self.field} {self.test} needs at least one word")

    def holds(self, value: Value) -> bool | None:
        """Whether it holds for this value; None where the value is unknown."""
        if value is None:
            return None
        match self.test:
            case Test.AT_LEAST:
                return isinstance(value, int | float) and value >= self.number
            case Test.AT_MOST:
                return isinstance(value, int | float) and value <= self.number
            case Test.IS_ONE_OF:
                return value in self.words
            case Test.HAS_ANY:
                return isinstance(value, frozenset) and bool(value & self.words)
            case Test.IS_TRUE:
                return value is True


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; none at all is everybody."""

    parts: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Segment


Segment: TypeAlias = Condition | AllOf | AnyOf | Not


@dataclass(frozen=True, slots=True)
class Reason:
    """One condition as it stands for one customer."""

    condition: Condition
    value: Value
    holds: bool | None


def holds(segment: Segment, facts: Facts) -> bool | None:
    """Whether the segment holds; None where that cannot be known."""
    match segment:
        case Condition():
            return segment.holds(facts.get(segment.field))
        case Not(part):
            inner = holds(part, facts)
            return None if inner is None else not inner
        case AllOf(parts):
            return _joined([holds(part, facts) for part in parts], decisive=False)
        case AnyOf(parts):
            return _joined([holds(part, facts) for part in parts], decisive=True)


def explain(segment: Segment, facts: Facts) -> list[Reason]:
    """Every condition with the customer's value: why they belong, or why not."""
    return [Reason(one, facts.get(one.field), one.holds(facts.get(one.field))) for one in conditions(segment)]


def conditions(segment: Segment) -> Iterator[Condition]:
    """The conditions, in the order of writing."""
    match segment:
        case Condition():
            yield segment
        case Not(part):
            yield from conditions(part)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from conditions(part)


def check(segment: Segment) -> None:
    """Raise SegmentError for one that is too deep or too long to be read by people."""
    if sum(1 for _ in conditions(segment)) > MOST_CONDITIONS:
        raise SegmentError(f"a segment has at most {MOST_CONDITIONS} conditions")
    if _depth(segment) > DEEPEST:
        raise SegmentError(f"a segment is nested at most {DEEPEST} deep")


def _joined(values: Sequence[bool | None], *, decisive: bool) -> bool | None:
    if decisive in values:
        return decisive
    return None if None in values else not decisive


def _depth(segment: Segment) -> int:
    match segment:
        case Condition():
            return 1
        case Not(part):
            return 1 + _depth(part)
        case AllOf(parts) | AnyOf(parts):
            return 1 + max(map(_depth, parts), default=0)
