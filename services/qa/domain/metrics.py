"""The registry of metrics: what each measures, in which unit, which way is better, and how it is reproduced.

Events become observations (one fact of one person at one instant), observations daily facts (their number and total by
person and day), daily facts metrics of a period. A metric without a formula has no event yet: its values are imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# Facts that observations tell, with what their value is.
FACTS: Final[Mapping[str, str]] = {
    "first_response": "seconds to the first response",
    "first_response_late": "1 for a first response after its promise",
    "reply_gap": "seconds to a reply",
    "received": "1 for a conversation taken",
    "handled": "seconds from taking a conversation to its end",
    "reopened": "1 for a conversation that had to be opened again",
    "transferred": "1 for a conversation given away",
    "rating": "a customer's rating",
    "online": "seconds available or busy",
    "violation": "1 for a confirmed violation",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact over some days: how many observations, their total, and on how many days there was one."""

    number: int = 0
    total: float = 0.0
    days: int = 0


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a fact's values, times `scale`."""

    fact: str
    scale: float = 1.0

    def value(self, facts: Mapping[str, Fact]) -> tuple[float, int] | None:
        """(value, cases); None without a case."""
        fact = facts.get(self.fact)
        return None if fact is None or not fact.number else (self.scale * fact.total / fact.number, fact.number)


@dataclass(frozen=True, slots=True)
class Number:
    """How many observations of a fact; 0 for who has other facts but none of this one."""

    fact: str

    def value(self, facts: Mapping[str, Fact]) -> tuple[float, int] | None:
        """(value, cases); None for who has no facts at all."""
        number = facts.get(self.fact, Fact()).number
        return (float(number), number) if facts else None


@dataclass(frozen=True, slots=True)
class PerDay:
    """A fact by working day, which is a day with time online; its total times `scale`, or its number."""

    fact: str
    of_total: bool = False
    scale: float = 1.0

    def value(self, facts: Mapping[str, Fact]) -> tuple[float, int] | None:
        """(value, cases); None for who did not work."""
        days = facts.get("online", Fact()).days
        if not days:
            return None
        fact = facts.get(self.fact, Fact())
        return (self.scale * fact.total if self.of_total else float(fact.number)) / days, fact.number


@dataclass(frozen=True, slots=True)
class Share:
    """The number of one fact by that of another, %; or what is left of 100 %."""

    part: str
    whole: str
    rest: bool = False

    def value(self, facts: Mapping[str, Fact]) -> tuple[float, int] | None:
        """(value, cases); None without a case. Within 0 to 100: the whole may lie in an earlier period."""
        whole = facts.get(self.whole, Fact()).number
        if not whole:
            return None
        share = min(100.0, 100 * facts.get(self.part, Fact()).number / whole)
        return (100 - share if self.rest else share), whole


Formula = Mean | Number | PerDay | Share


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `lower`: less is better. `source`: the service whose events it comes from, or will."""

    id: str
    unit: str
    lower: bool
    source: str
    formula: Formula | None = None
    ratings: bool = False


_FIRST, _GAP, _RATING = Mean("first_response"), Mean("reply_gap"), Mean("rating")
_SOLVED, _COMPLAINTS = Share("reopened", "handled", rest=True), "intake cases"

METRICS: Final[Mapping[str, Metric]] = {
    one.id: one
    for one in (
        Metric("response_speed", "s", True, "intake", _FIRST),
        Metric("first_response_mean", "s", True, "intake", _FIRST),
        Metric(
            "first_response_in_time", "%", False, "intake", Share("first_response_late", "first_response", rest=True)
        ),
        Metric("reply_time", "s", True, "intake", _GAP),
        Metric("reply_rate", "%", False, "intake", Share("first_response", "received")),
        Metric("online_time", "h/day", False, "staffing", PerDay("online", of_total=True, scale=1 / 3600)),
        Metric("volume", "conversations/day", False, "intake", PerDay("handled")),
        Metric("volume_total", "conversations", False, "intake", Number("handled")),
        Metric("resolution_time", "s", True, "intake", Mean("handled")),
        Metric("resolution", "%", False, "intake", _SOLVED),
        Metric("resolution_share", "%", False, "intake", _SOLVED),
        Metric("first_contact_resolution", "%", False, "intake", _SOLVED),
        Metric("transfers", "conversations", True, "intake", Number("transferred")),
        Metric("csat", "points", False, "intake", _RATING, ratings=True),
        Metric("satisfaction", "points", False, "intake", _RATING, ratings=True),
        Metric("standards", "violations", True, "qa", Number("violation")),
        Metric("conversion", "%", False, "crm"),
        Metric("knowledge", "entries/month", False, "knowledge"),
        Metric("complaint_rate", "%", True, _COMPLAINTS),
        Metric("complaints", "complaints", True, _COMPLAINTS),
        Metric("complaints_on_time", "%", False, _COMPLAINTS),
        Metric("suggestion_adoption", "%", False, _COMPLAINTS),
        Metric("survey_satisfaction", "points", False, "crm"),
        Metric("attendance", "%", False, "staffing"),
        Metric("attitude", "points", False, "qa"),
        Metric("ability", "points", False, "qa"),
        Metric("peer_rating", "points", False, "qa"),
    )
}


def sql(metric: Metric) -> str:
    """The query that reproduces a computed value from observations; empty for what is imported."""
    formula = metric.formula
    where = "FROM observations WHERE site = $1 AND person = $2 AND day >= $3 AND day < $4"
    match formula:
        case Mean():
            return f"SELECT {formula.scale:g} * avg(value) {where} AND fact = '{formula.fact}'"
        case Number():
            return f"SELECT count(*) {where} AND fact = '{formula.fact}'"
        case PerDay():
            amount = f"{formula.scale!r} * sum(value)" if formula.of_total else "count(*)"
            picked = f"coalesce({amount} FILTER (WHERE fact = '{formula.fact}'), 0)"
            return f"SELECT {picked} / count(DISTINCT day) FILTER (WHERE fact = 'online')::float8 {where}"
        case Share():
            part, whole = (f"count(*) FILTER (WHERE fact = '{one}')" for one in (formula.part, formula.whole))
            share = f"least(100, 100.0 * {part} / {whole})"
            return f"SELECT {f'100 - {share}' if formula.rest else share} {where}"
        case None:
            return ""


def facts_of(metric: Metric) -> tuple[str, ...]:
    """The facts that a metric counts: its evidence."""
    match metric.formula:
        case Share(part=part, whole=whole):
            return (part, whole)
        case PerDay(fact=fact):
            return tuple(dict.fromkeys((fact, "online")))
        case Mean(fact=fact) | Number(fact=fact):
            return (fact,)
        case _:
            return ()
