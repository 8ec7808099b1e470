"""The life of a campaign: drafted, approved by a second person, scheduled, run round by round, cancelled, ended."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from typing import Any, Final

from services.crm.commands.sending import REFERENCE
from services.crm.domain.campaign import DAILY, Campaign, Draft, Rules, next_round
from services.crm.domain.cycles import CAMPAIGN, Act
from services.crm.store import campaigns, care_messages
from services.kit.audit import Entry
from services.kit.db import Transaction
from services.kit.errors import InvalidArgument
from services.kit.outbound import letters
from services.kit.timers import Timer, arm
from services.kit.timers import cancel as cancel_timers

OWNER_KIND: Final = "campaign"
ROUND: Final = "round"
DRAW: Final = "draw"
END: Final = "end"
ACTOR: Final = "timer"


async def create(tx: Transaction, *, site: str, id_: str, draft: Draft, seed: bytes, actor: str) -> Campaign:
    """Draft a campaign. `seed` are fresh random bytes, whose hash is on record from here on."""
    campaign = Campaign(
        site=site,
        id=id_,
        draft=dataclasses.replace(draft, recurring=draft.recurring or draft.kind in DAILY),
        seed=seed,
        state=CAMPAIGN.initial,
        version=1,
        author=actor,
        approver="",
        reason="",
        start_at=None,
        began_at=None,
        ended_at=None,
        drawn_to=None,
        occasion="",
        day=None,
        created_at=tx.now,
    )
    await campaigns.insert(tx, campaign)
    detail = json.dumps({"kind": draft.kind, "seed_sha256": campaign.seed_hash, "holdout": draft.holdout_share})
    tx.audit(Entry(site, actor, "campaign.create", campaign.name, detail))
    return campaign


async def approve(tx: Transaction, *, site: str, id_: str, actor: str) -> Campaign:
    """Approve; FailedPrecondition SAME_PERSON for the author."""
    campaign = await campaigns.get(tx, site, id_, lock=True)
    return await move(tx, campaign, "approve", actor, approver=actor)


async def schedule(tx: Transaction, *, site: str, id_: str, start_at: datetime, actor: str) -> Campaign:
    """Let it begin at an instant that is still to come; a recurring one comes round at that wall time."""
    campaign = await campaigns.get(tx, site, id_, lock=True)
    if start_at < tx.now:
        raise InvalidArgument.field("start_time", "lies in the past; choose a time to come")
    scheduled = await move(tx, campaign, "schedule", actor, start_at=start_at)
    await arm(tx, [_timer(scheduled, ROUND, start_at)])
    return scheduled


async def cancel(tx: Transaction, *, site: str, id_: str, reason: str, actor: str) -> Campaign:
    """End it before its time: what has not left stays; what has left counts."""
    campaign = await campaigns.get(tx, site, id_, lock=True)
    act = Act(actor, author=campaign.author, reason=reason)
    cancelled = await move(tx, campaign, "cancel", actor, act=act, reason=reason, ended_at=tx.now, drawn_to=None)
    stopped = await care_messages.cancel(tx, site, id_)
    await letters.withdraw(tx, [REFERENCE.format(site, id_, one) for one in stopped], "CANCELLED")
    await cancel_timers(tx, [_timer(campaign, kind, tx.now).key for kind in (ROUND, DRAW, END)])
    return cancelled


async def begin_round(tx: Transaction, campaign: Campaign, occasion: str | None, rules: Rules) -> Campaign:
    """Begin to draw the audience for `occasion`; with None there is nothing today, and the next round is awaited."""
    day = tx.now.astimezone(rules.zone).date()
    if campaign.state == "SCHEDULED":
        campaign = await move(tx, campaign, "begin", ACTOR, began_at=tx.now)
    if occasion is None:
        return await drawn(tx, campaign, rules)
    return await drawing(tx, dataclasses.replace(campaign, occasion=occasion, day=day), "")


async def drawing(tx: Transaction, campaign: Campaign, drawn_to: str) -> Campaign:
    """The audience is drawn up to a customer; the next batch follows at once, in a transaction of its own."""
    further = dataclasses.replace(campaign, drawn_to=drawn_to, version=campaign.version + 1)
    await campaigns.update(tx, further)
    await arm(tx, [_timer(further, DRAW, tx.now)])
    return further


async def drawn(tx: Transaction, campaign: Campaign, rules: Rules) -> Campaign:
    """The whole audience of this round is drawn: wait for the next one, or for what comes of the last."""
    done = dataclasses.replace(campaign, drawn_to=None, version=campaign.version + 1)
    await campaigns.update(tx, done)
    following = _following(done, tx.now, rules)
    if following is not None:
        await arm(tx, [_timer(done, ROUND, following)])
    else:
        await arm(tx, [_timer(done, END, tx.now + timedelta(days=campaign.draft.window_days))])
    return done


async def end(tx: Transaction, campaign: Campaign) -> Campaign:
    """The window in which purchases count is over."""
    return await move(tx, campaign, "end", ACTOR, ended_at=tx.now)


async def move(
    tx: Transaction, campaign: Campaign, transition: str, actor: str, *, act: Act | None = None, **changes: Any
) -> Campaign:
    """Take one step of the life cycle with its audit row."""
    step = CAMPAIGN.apply(campaign.state, transition, act or Act(actor, author=campaign.author))
    moved = dataclasses.replace(campaign, state=step.to_state, version=campaign.version + 1, **changes)
    await campaigns.update(tx, moved)
    words = json.dumps({"from": step.from_state, "to": step.to_state}, sort_keys=True)
    tx.audit(Entry(campaign.site, actor, f"campaign.{transition}", campaign.name, words))
    return moved


def _following(campaign: Campaign, now: datetime, rules: Rules) -> datetime | None:
    """The first round to come, counted from the start so that no delay moves it; what was missed is left out."""
    at: datetime | None = campaign.start_at
    while at is not None and at <= now:
        at = next_round(campaign, at, rules)
    return at


def _timer(campaign: Campaign, kind: str, at: datetime) -> Timer:
    return Timer(OWNER_KIND, f"{campaign.site}/{campaign.id}", kind, campaign.site, campaign.version, at)
