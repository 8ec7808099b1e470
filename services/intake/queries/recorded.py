"""Recorded conversations, judged anew: for `kefu profile dry-run`, and for checking that what was stored is true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.intake.domain import clock_board
from services.intake.domain.clock import State
from services.intake.domain.clock_board import Fact, Happening
from services.intake.domain.rules import SiteRules
from services.kit.db import Transaction
from services.policy.dryrun import Judgement
from services.policy.profile import Profile

_FACTS: Final = """
SELECT h.conversation, h.fact, h.at, h.queue, h.number
FROM conversations c JOIN conversation_history h ON h.site = c.site AND h.conversation = c.id
WHERE c.site = $1 AND c.created_at >= $2 AND c.created_at < $3 AND h.fact <> ''
ORDER BY c.created_at, h.conversation, h.version
"""
_OUTCOMES: Final = {
    State.MET: "MET",
    State.BREACHED: "BREACHED",
    State.STOPPED_LATE: "BREACHED",
    State.CANCELLED: "CANCELLED",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One conversation's facts, as far as promises go, and the instant up to which they are known."""

    conversation: str
    happenings: tuple[Happening, ...]
    until: datetime


async def histories(tx: Transaction, site: str, since: datetime, until: datetime) -> list[Recorded]:
    """Return the conversations of a site that were opened in [since, until), oldest first."""
    found: defaultdict[str, list[Happening]] = defaultdict(list)
    for row in await tx.fetch(_FACTS, site, since, until):
        found[row["conversation"]].append(Happening(Fact(row["fact"]), row["at"], row["queue"], row["number"]))
    return [Recorded(conversation, tuple(happenings), tx.now) for conversation, happenings in found.items()]


class Judge:
    """Judges histories under profiles; works out each profile's promises once."""

    def __init__(self) -> None:
        self._rules: dict[str, SiteRules] = {}

    def __call__(self, recorded: Recorded, profile: Profile) -> Iterable[Judgement]:
        """Return the promises of a conversation that came due or were settled, as this profile judges them."""
        rules = self._rules.get(profile.version)
        if rules is None:
            rules = self._rules[profile.version] = SiteRules.of(profile)
        board, _ = clock_board.replay(recorded.happenings, rules.rulebook, until=recorded.until)
        for clock in board:
            outcome = _OUTCOMES.get(clock.state)
            if outcome is not None:
                yield Judgement(recorded.conversation, clock.kind, clock.number, outcome, clock.due_at)
