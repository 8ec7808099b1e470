"""What a group works on: conversations as they stand after the commands so far, and what is to be written for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from services.intake import events
from services.intake.domain.clock import Change
from services.intake.domain.conversation import Conversation
from services.intake.domain.decide import Decision
from services.intake.domain.history import Clocked
from services.intake.store import writes
from services.intake.store.reads import Key
from services.intake.store.writes import Batch
from services.kit.db import Transaction
from services.kit.outbox import Row
from services.kit.timers import Timer
from services.kit.uow import Reply

CONVERSATION = "conversation"
SITE = "site"
NEXT = "next"
ROUTE = "route"


class Work:
    """Gathers decisions of one transaction and writes them together."""

    def __init__(self, tx: Transaction, new_id: Callable[[], str]) -> None:
        self.tx = tx
        self.now = tx.now
        self.new_id = new_id
        self.decisions: list[Decision] = []
        self.replies: list[Reply] = []
        self._loaded: dict[Key, Conversation] = {}
        self._current: dict[Key, Conversation] = {}
        self._changed: dict[Key, None] = {}
        self._external: dict[tuple[str, str, str], Key] = {}
        self._bursts: dict[Key, Key] = {}
        self._arm: dict[Key, Timer] = {}
        self._route: set[str] = set()
        self._loads: Counter[Key] = Counter()
        self._outbox: list[tuple[Row, str]] = []

    def take(self, conversations: Iterable[Conversation]) -> None:
        """Add what was locked and loaded."""
        for conversation in conversations:
            key = (conversation.site, conversation.id)
            if key not in self._current:
                self._loaded[key] = self._current[key] = conversation
                self._index(conversation, key)

    def find(self, site: str, id_: str) -> Conversation | None:
        """Return a conversation as it stands now, None where there is none."""
        return self._current.get((site, id_))

    def find_external(self, site: str, channel: str, external_id: str) -> Conversation | None:
        """Return the conversation of a channel's own id, None where there is none or the id is empty."""
        key = self._external.get((site, channel, external_id))
        return self._current[key] if key and external_id else None

    def find_burst(self, site: str, burst_key: str) -> Conversation | None:
        """Return the conversation that a customer's next words would find, None where there is none."""
        key = self._bursts.get((site, burst_key))
        found = self._current[key] if key and burst_key else None
        return found if found and found.burst_key == burst_key else None

    def replace(self, conversation: Conversation) -> None:
        """Put a changed conversation in the place of what there was."""
        key = (conversation.site, conversation.id)
        if key not in self._current:
            self._index(conversation, key)
        self._current[key] = conversation
        self._changed[key] = None

    def add(self, decision: Decision, traceparent: str) -> None:
        """Take over what was decided."""
        after = decision.after
        self.replace(after)
        self.decisions.append(decision)
        for person, delta in decision.loads.items():
            self._loads[after.site, person] += delta
        if decision.route:
            self._route.add(after.site)
        if decision.arm_at is not None:
            self.arm(after, decision.arm_at)
        self._outbox += [(row, traceparent) for row in events.rows(after, decision.entries, self.new_id)]

    def arm(self, conversation: Conversation, at: datetime) -> None:
        """Set a conversation's timer."""
        owner = (CONVERSATION, conversation.id, NEXT)
        self._arm[conversation.site, conversation.id] = Timer(*owner, conversation.site, conversation.version, at)

    def route(self, site: str, *, after_s: float = 0.0) -> None:
        """Let the site look for work and people anew."""
        if after_s:
            self._arm[site, ""] = self._site_timer(site, self.now + timedelta(seconds=after_s))
        else:
            self._route.add(site)

    async def save(self) -> None:
        """Write everything."""
        for site in self._route:
            self._arm[site, ""] = self._site_timer(site, self.now)
        if self._changed or self.replies or self._arm:
            await writes.save(self.tx, self._batch())

    def _batch(self) -> Batch:
        return Batch(
            changed=[(self._loaded.get(key), self._current[key]) for key in self._changed],
            messages=[message for decision in self.decisions for message in decision.messages],
            entries=[(decision.after, entry) for decision in self.decisions for entry in decision.entries],
            changes=self._changes(),
            facts=self._outbox,
            replies=self.replies,
            timers=list(self._arm.values()),
            loads=self._loads,
        )

    def _index(self, conversation: Conversation, key: Key) -> None:
        if conversation.external_id:
            self._external[conversation.site, conversation.channel, conversation.external_id] = key
        if conversation.burst_key:
            self._bursts[conversation.site, conversation.burst_key] = key

    def _changes(self) -> Iterable[tuple[Conversation, str, Change]]:
        for decision in self.decisions:
            if decision.changes:
                for entry in decision.entries:
                    if isinstance(entry.detail, Clocked):
                        yield decision.after, entry.detail.person, entry.detail.change

    def _site_timer(self, site: str, at: datetime) -> Timer:
        # The generation must rise with every arming; microseconds of the database's clock do.
        return Timer(SITE, site, ROUTE, site, int(self.now.timestamp() * 1_000_000), at)
