"""Committing to seeds, freezing frames and drawing from them, by the week and for spot checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from kefu.events.v1.event_pb2 import DrawMade, Event, SeedCommitted

from services.kit.audit import Entry
from services.kit.crypto import Vault
from services.kit.db import Database, Transaction
from services.kit.errors import Aborted
from services.policy.profile import Profile
from services.qa.domain import draw as rules
from services.qa.domain import record, weeks
from services.qa.domain.draw import AD_HOC, RANDOM, Pick, UnitResult
from services.qa.domain.frame import Frame
from services.qa.store import draws as store
from services.qa.store import frames
from services.qa.store.draws import Commitment, Made
from services.qa.store.frames import Frames, Index, Span

SECRET_PURPOSE: Final = "qa.commitments.secret"  # noqa: S105 - what the seal is bound to
SECRET_BYTES: Final = 32
AHEAD: Final = 2  # weeks whose seeds are always committed to
TEAM: Final = "TEAM"
AGENT: Final = "AGENT"
SUPERVISOR: Final = "SUPERVISOR"
EVERYBODY: Final = "team"
NOBODY: Final = "unassigned"
LOW_RATING: Final = 3.0  # where the site sets no floor: below the middle of 1 to 5
ACTOR: Final = "draws"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to draw: `per_unit` for each unit of the scope and, beside them, `extras` at risk."""

    kind: str
    scope: str
    per_unit: int
    extras: int = 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A draw that only has to be kept: its frame is frozen, its recordings follow from the seed."""

    profile: Profile
    commitment: Commitment
    made: Made
    frame: Frame
    picks: Sequence[Pick]
    shortfall: int


class Draws:
    """Commands on draws. `new_secret(n)` gives n bytes that nobody can guess."""

    def __init__(self, database: Database, vault: Vault, frames: Frames, new_secret: Callable[[int], bytes]) -> None:
        self._database = database
        self._vault = vault
        self.frames = frames
        self._new_secret = new_secret

    async def commit(self, tx: Transaction, profile: Profile) -> None:
        """Commit to the seeds of the coming weeks and of the next spot check, where there are none yet."""
        if profile.setting("sampling.per_week") is not None:
            monday = weeks.monday(tx.now, profile.timezone)
            for ahead in range(1, AHEAD + 1):
                first = monday + timedelta(days=7 * ahead)
                await self._commit(tx, profile.site, weeks.key_of(first), weeks.bounds(first, profile.timezone))
        if await store.spot(tx, profile.site) is None:
            number = await store.spots(tx, profile.site) + 1
            await self._commit(tx, profile.site, f"spot-{number}", None)

    async def week(self, profile: Profile, now: datetime) -> str | None:
        """Draw the first week that is over and not drawn; returns the draw's id, None when none is due."""
        async with self._database.transaction(sites=[profile.site], read_only=True) as tx:
            commitment = await store.due(tx, profile.site, now - weeks.SETTLES)
            if commitment is None or commitment.starts_at is None or commitment.ends_at is None:
                return None
            before = await store.last_week(tx, profile.site, commitment.ends_at)
        per_unit, extras = (profile.setting(f"sampling.{key}") for key in ("per_week", "risk_per_week"))
        scope = str(profile.setting("sampling.scope") or TEAM)
        plan = Plan(RANDOM, scope, int(str(per_unit or 0)), int(str(extras or 0)))
        cutoff = now - weeks.SETTLES
        span = Span(profile.site, commitment.starts_at, commitment.ends_at, cutoff, before)
        prepared = await self._prepare(profile, commitment, plan, span)
        async with self._database.transaction(sites=[profile.site]) as tx:
            return prepared.made.id if await self._keep(tx, prepared, actor=ACTOR) else None

    async def prepare_spot_check(self, profile: Profile, *, number: int, days: int, person: str) -> Prepared:
        """Draw from the last days with the seed that was committed to before; nothing is kept but the frame's file."""
        async with self._database.transaction(sites=[profile.site]) as tx:
            await self.commit(tx, profile)
        # of its own, so that the promise is out before the frame's instant even where it is the site's first
        async with self._database.transaction(sites=[profile.site], read_only=True) as tx:
            commitment = await store.spot(tx, profile.site)
            now = tx.now
        assert commitment is not None  # `commit` has just made sure
        span = Span(profile.site, now - timedelta(days=days), now, now, None, person)
        return await self._prepare(profile, commitment, Plan(AD_HOC, TEAM, number), span)

    async def spot_check(self, tx: Transaction, prepared: Prepared, *, reason: str, actor: str) -> str:
        """Keep a spot check; returns its id. Raises Aborted where another one took its seed meanwhile."""
        if not await self._keep(tx, prepared, actor=actor, reason=reason):
            raise Aborted(metadata={"name": prepared.commitment.name})
        await self.commit(tx, prepared.profile)
        return prepared.made.id

    async def _commit(self, tx: Transaction, site: str, key: str, bounds: tuple[datetime, datetime] | None) -> None:
        secret = self._new_secret(SECRET_BYTES)
        starts_at, ends_at = bounds or (None, None)
        hash_ = rules.commitment_of(secret)
        made = Commitment(site, key, hash_, b"", tx.now, starts_at, ends_at)
        sealed = self._vault.seal(secret.hex(), purpose=SECRET_PURPOSE, record=made.name)
        if await store.commit(tx, Commitment(site, key, hash_, sealed, tx.now, starts_at, ends_at)):
            tx.audit(Entry(site, ACTOR, "seed.commit", made.name, hash_))
            told = SeedCommitted(key=key, commitment=hash_)
            tx.publish(Event(site=site, aggregate=made.name, version=1, seed_committed=told))

    async def _prepare(self, profile: Profile, commitment: Commitment, plan: Plan, span: Span) -> Prepared:
        async with self._database.transaction(sites=[span.site], read_only=True) as tx:
            frame, active = await self._freeze(tx, profile, plan, span)
        secret = self._secret(commitment)
        seed = rules.seed_of(secret, frame.sha256)
        picks, units = await asyncio.to_thread(_picks, frame, seed, plan)
        facts = record.Facts(
            kind=plan.kind,
            secret=secret,
            committed_at=weeks.iso(commitment.committed_at),
            frozen_after=weeks.iso(commitment.starts_at or span.cutoff),
            per_unit=plan.per_unit,
            extras=plan.extras,
            rule=plan.scope,
            profile_version=profile.version,
        )
        published = record.to_json(facts, frame, picks, units, [])
        made = Made(
            span.site,
            commitment.key,
            plan.kind,
            span.starts_at,
            span.ends_at,
            span.cutoff,
            published,
            {one.unit: _cause(one, active) for one in units if one.shortfall},
        )
        return Prepared(profile, commitment, made, frame, picks, sum(one.shortfall for one in units))

    async def _keep(self, tx: Transaction, prepared: Prepared, *, actor: str, reason: str = "") -> bool:
        made, frame = prepared.made, prepared.frame
        if not await store.insert(tx, prepared.commitment, made, frame, prepared.picks):
            return False
        name = f"sites/{made.site}/draws/{made.id}"
        tx.audit(Entry(made.site, actor, "draw.make", name, f"{frame.sha256} {reason}".strip()))
        told = DrawMade(
            kind=made.kind, frame_sha256=frame.sha256, drawn=len(prepared.picks), shortfall=prepared.shortfall
        )
        tx.publish(Event(site=made.site, aggregate=name, version=1, draw_made=told))
        return True

    async def _freeze(self, tx: Transaction, profile: Profile, plan: Plan, span: Span) -> tuple[Frame, frozenset[str]]:
        """The frame, and the units that owe their number: those of people who still work here."""
        staff = await frames.people(tx, span.site)
        owing = _units_of(plan.scope, staff)
        units = Index(sorted(owing))
        floor = profile.rating.floor if profile.rating is not None else None
        found, people, channels = await frames.rows(
            tx, span, low_rating=floor or LOW_RATING, unit_of=_UNIT_OF[plan.scope], units=units
        )
        about = {
            "site": span.site,
            "period_start": weeks.iso(span.starts_at),
            "period_end": weeks.iso(span.ends_at),
        }
        frame = await self.frames.save(about, found, units=units.names, people=people, channels=channels)
        return frame, owing

    def _secret(self, commitment: Commitment) -> bytes:
        opened = self._vault.open(commitment.secret_sealed, purpose=SECRET_PURPOSE, record=commitment.name)
        return bytes.fromhex(opened)


def _picks(frame: Frame, seed: bytes, plan: Plan) -> tuple[list[Pick], list[UnitResult]]:
    picks, units = rules.draw(frame, seed, plan.per_unit, kind=plan.kind)
    return picks + rules.extras(frame, seed, plan.extras, [pick.row for pick in picks]), units


_UNIT_OF: Final[Mapping[str, Callable[[str, str], str]]] = {
    TEAM: lambda _person, _team: EVERYBODY,
    AGENT: lambda person, _team: person,
    SUPERVISOR: lambda _person, team: team or NOBODY,
}


def _units_of(scope: str, staff: list[Any]) -> frozenset[str]:
    """Units that owe their number even with nothing recorded: whoever left owes nothing any more."""
    active = [row for row in staff if row["active"]]
    if scope == AGENT:
        return frozenset(row["person"] for row in active)
    if scope == SUPERVISOR:
        return frozenset(row["team"] for row in active if row["team"])
    return frozenset({EVERYBODY})


def _cause(result: UnitResult, owing: frozenset[str]) -> str:
    """Why a unit is short."""
    if result.unit == NOBODY:
        return "NO_TEAM"
    if result.unit not in owing:
        return "LEFT"
    return "FEW_RECORDINGS" if result.size else "NO_RECORDINGS"
