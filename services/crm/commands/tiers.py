"""Judging tiers: of a few customers after a purchase or a merge, or of a whole site."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final

from kefu.events.v1 import event_pb2 as events

from services.crm.domain.period import day_before
from services.crm.domain.rules import tier_rules
from services.crm.domain.tiers import Measures, Move, Rules, Standing, cutoff, judge
from services.crm.profiles import SiteProfiles
from services.crm.store import customers, merges, standings
from services.kit import heap
from services.kit.db import Database, Transaction
from services.policy.profile import Profile

ACTOR: Final = "tiers"
PAGE: Final = 50_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Tiers:
    """Judges by the bars of the profile in force; `counted` hears the cause of every move."""

    def __init__(self, profiles: SiteProfiles, counted: Callable[[str, str], None]) -> None:
        self._profiles = profiles
        self._counted = counted

    async def judge(self, tx: Transaction, site: str, concerned: Iterable[str]) -> int:
        """Judge those for whom these customers count, and tell who moved; returns how many moves."""
        profile = self._profiles.at(site, tx.now)
        rules = tier_rules(profile)
        if not rules.bars:
            return 0
        asked = await customers.lock_roots(tx, site, concerned)
        files = await customers.of_roots(tx, site, asked)
        today, windows = frame(profile, rules, tx.now)
        measures = await standings.measures(tx, site, files, today=today, windows=windows)
        held = await standings.held(tx, site, asked)
        cutoffs = await _cutoffs(tx, site, rules)
        moves = {}
        for root in asked:
            standing = held[root].standing if root in held else Standing(rules.default)
            if (move := judge(standing, measures[root], rules, cutoffs, tx.now)) is not None:
                moves[root] = move
        await self._put(tx, site, moves, held=held, files=files, profile=profile)
        return len(moves)

    async def rejudge(self, tx: Transaction, site: str, *, moved: str, roots: Sequence[str]) -> None:
        """Judge anew once `moved` counts for somebody else, and tell the tier of every file that moved with it."""
        await self.judge(tx, site, roots)
        await self._announce(tx, site, await merges.below(tx, site, moved))

    async def _announce(self, tx: Transaction, site: str, changed: Sequence[str]) -> None:
        default = tier_rules(self._profiles.at(site, tx.now)).default
        roots = await customers.roots(tx, site, changed)
        held = await standings.held(tx, site, [*roots, *roots.values()])
        for file, root in roots.items():
            known = [held[one].version for one in (file, root) if one in held]
            tier = held[root].standing.tier if root in held else default
            tx.publish(_event(site, file, tier, _version(tx.now, max(known, default=0))))

    async def _put(
        self,
        tx: Transaction,
        site: str,
        moves: Mapping[str, Move],
        *,
        held: Mapping[str, standings.Held],
        files: Mapping[str, str],
        profile: Profile,
    ) -> None:
        versions = {root: _version(tx.now, held[root].version if root in held else 0) for root in moves}
        await standings.put(tx, site, moves, versions=versions, profile_version=profile.version)
        moved = {root: move.after.tier for root, move in moves.items() if move.after.tier != move.before}
        tx.publish(*(_event(site, file, moved[root], versions[root]) for file, root in files.items() if root in moved))
        for move in moves.values():
            tx.after_commit(partial(self._counted, site, move.cause))


async def nothing() -> None:
    """Do nothing between pages."""


async def recompute(
    database: Database, tiers: Tiers, profile: Profile, *, pulse: Callable[[], Awaitable[object]] = nothing
) -> int:
    """Judge everybody of a site; returns how many moved. Pages of their own: a crash leaves what is done, done.

    A page finds who would move; the judgement that counts is made under their locks, as after a purchase. `pulse` is
    awaited after each page.
    """
    rules = tier_rules(profile)
    if not rules.bars:
        return 0
    with heap.for_rows():
        return await _recompute(database, tiers, profile, rules, pulse)


async def _recompute(
    database: Database, tiers: Tiers, profile: Profile, rules: Rules, pulse: Callable[[], Awaitable[object]]
) -> int:
    site = profile.site
    await _cut_off(database, profile, rules)
    moved, pages = 0, [page async for page in _pages(database, site)]
    reading = asyncio.create_task(_read(database, profile, rules, pages[0]))
    try:
        for following in [*pages[1:], None]:
            page = await reading
            # the database adds up the next page while this one is judged
            if following is not None:
                reading = asyncio.create_task(_read(database, profile, rules, following))
            would_move = await asyncio.to_thread(page.would_move, rules)
            for start in range(0, len(would_move), PAGE // 5):
                async with database.transaction(sites=[site]) as tx:
                    moved += await tiers.judge(tx, site, would_move[start : start + PAGE // 5])
            await pulse()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    return moved


def frame(profile: Profile, rules: Rules, now: datetime) -> tuple[date, list[date]]:
    """Today at the site, and for each window the last day outside of it."""
    today = now.astimezone(profile.timezone).date()
    return today, [day_before(today, window) for window in rules.windows]


async def _cut_off(database: Database, profile: Profile, rules: Rules) -> None:
    for bar in rules.bars:
        if bar.top_share is None:
            continue
        async with database.transaction(sites=[profile.site]) as tx:
            _, windows = frame(profile, rules, tx.now)
            found = cutoff(await standings.spends(tx, profile.site, windows[bar.window]), bar.top_share)
            if found is not None:
                await standings.put_cutoff(tx, profile.site, bar.tier, found)


async def _pages(database: Database, site: str) -> AsyncIterator[tuple[str, str]]:
    """Ranges of customers: after whom, up to whom; the last one has no end."""
    after: str | None = ""
    while after is not None:
        async with database.transaction(sites=[site], read_only=True) as tx:
            upto = await standings.end_of_page(tx, site, after=after, customers=PAGE)
        yield after, upto
        after = upto or None


@dataclass(frozen=True, slots=True)
class _Page:
    """What a range of customers is judged by. `merged` are all of the site, with whom they count for."""

    after: str
    upto: str
    now: datetime
    cutoffs: Mapping[str, int]
    held: dict[str, standings.Held]
    merged: Mapping[str, str]
    days: Sequence[Any]

    def would_move(self, rules: Rules) -> list[str]:
        """Who is not where they belong, and for whom others count: these are judged together."""
        found = {root for root in self.merged.values() if self.after < root and (not self.upto or root <= self.upto)}
        others, default, windows = self.merged.keys() | found, Standing(rules.default), len(rules.windows)
        for row in self.days:
            customer = row[0]
            known = self.held.pop(customer, None)
            standing = default if known is None else known.standing
            measures = standings.of_row(row, windows)
            if customer not in others and judge(standing, measures, rules, self.cutoffs, self.now) is not None:
                found.add(customer)
        # who is left has a tier and no day at all
        no_days = [Measures()] * windows
        for root, known in self.held.items():
            if root not in others and judge(known.standing, no_days, rules, self.cutoffs, self.now) is not None:
                found.add(root)
        return sorted(found)


async def _read(database: Database, profile: Profile, rules: Rules, page: tuple[str, str]) -> _Page:
    site, (after, upto) = profile.site, page
    async with database.transaction(sites=[site], read_only=True) as tx:
        today, windows = frame(profile, rules, tx.now)
        return _Page(
            after,
            upto,
            tx.now,
            cutoffs=await _cutoffs(tx, site, rules),
            held=await standings.held_between(tx, site, after=after, upto=upto),
            merged=await customers.merged(tx, site),
            days=await standings.page_of_days(tx, site, after=after, upto=upto, today=today, windows=windows),
        )


async def _cutoffs(tx: Transaction, site: str, rules: Rules) -> Mapping[str, int]:
    """Cut-offs of the top shares, where a bar asks for one."""
    return await standings.cutoffs(tx, site) if any(bar.top_share is not None for bar in rules.bars) else {}


def _version(now: datetime, before: int) -> int:
    """Versions are instants in microseconds: those of a file and of whom it was merged into compare."""
    since = now - _EPOCH
    return max(before + 1, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _event(site: str, customer: str, tier: str, version: int) -> events.Event:
    return events.Event(
        site=site,
        aggregate=f"sites/{site}/customers/{customer}",
        version=version,
        actor=ACTOR,
        tier_changed=events.TierChanged(customer=customer, tier=tier),
    )
