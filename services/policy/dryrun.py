"""What another version of a profile would have changed: recorded conversations, judged twice.

Policy knows neither conversations nor clocks. A `Source` brings both: recorded histories, and the judge that replays
one of them under a profile. intake's clock engine is such a judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from services.policy.profile import Profile

History = TypeVar("History")


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one promise ended: `clock` is a name such as "FIRST_RESPONSE", `number` counts from 1 in its conversation,
    `outcome` is "MET", "BREACHED" or "CANCELLED", `due_at` the deadline in UTC."""

    conversation: str
    clock: str
    number: int
    outcome: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Change:
    """A promise that ends differently. `before` or `after` is None where only one of the versions makes the promise."""

    conversation: str
    clock: str
    number: int
    before: Judgement | None
    after: Judgement | None

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.conversation} {self.clock} #{self.number}: {_outcome(self.before)} → {_outcome(self.after)}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a dry run. `totals`: (clock, outcome) → (promises before, promises after)."""

    conversations: int
    changes: tuple[Change, ...]
    totals: Mapping[tuple[str, str], tuple[int, int]]


def dry_run(
    history: Iterable[History],
    old: Profile,
    new: Profile,
    judge: Callable[[History, Profile], Iterable[Judgement]],
) -> Outcome:
    """Judge every recorded conversation under both versions and tell what differs in outcome.

    Pure: reads the history once, in order; a moved deadline with the same outcome is no change.
    """
    conversations = 0
    changes: list[Change] = []
    before_totals: Counter[tuple[str, str]] = Counter()
    after_totals: Counter[tuple[str, str]] = Counter()
    for recorded in history:
        conversations += 1
        before = {(j.conversation, j.clock, j.number): j for j in judge(recorded, old)}
        after = {(j.conversation, j.clock, j.number): j for j in judge(recorded, new)}
        before_totals.update((j.clock, j.outcome) for j in before.values())
        after_totals.update((j.clock, j.outcome) for j in after.values())
        changes += _changes(before, after)
    keys = sorted(before_totals.keys() | after_totals.keys())
    return Outcome(conversations, tuple(changes), {key: (before_totals[key], after_totals[key]) for key in keys})


def _changes(
    before: Mapping[tuple[str, str, int], Judgement], after: Mapping[tuple[str, str, int], Judgement]
) -> Iterator[Change]:
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if (old.outcome if old else None) != (new.outcome if new else None):
            yield Change(*key, old, new)


def _outcome(judgement: Judgement | None) -> str:
    return judgement.outcome if judgement else "no promise"


class Source(Protocol):
    """Where recorded conversations come from; `kefu profile dry-run` is built around one (`cli.dry_run_command`)."""

    def histories(self, site: str, since: datetime, until: datetime) -> Iterable[Any]:
        """Recorded conversations of a site that were opened in a period, oldest first."""

    def judge(self, history: Any, profile: Profile) -> Iterable[Judgement]:
        """Replay one of them under a profile."""
