"""What changes contracts, runs and rosters: each in one transaction, once per request id."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import asyncpg
import msgspec
from kefu.common.v1 import errors_pb2

from services.kit.audit import Entry
from services.kit.db import Reading, Transaction
from services.kit.errors import FailedPrecondition, FieldViolation, InvalidArgument
from services.policy.profile import Profile
from services.staffing import rostering
from services.staffing.domain.contract import Contract, Shift, changed, faults
from services.staffing.errors import not_found, person_left
from services.staffing.roster.check.judge import judge_site
from services.staffing.roster.site.words import Problem
from services.staffing.rostering import Known, NothingToRosterError
from services.staffing.store import rosters as store
from services.staffing.store.people import Store

QUEUED: Final = "roster-runs"
"""The hint that wakes a solver."""
WATCHED: Final = "roster-progress"
"""The hint that wakes whoever watches."""
ENDED: Final = ("SUCCEEDED", "CANCELLED", "FAILED")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search that is asked for; `need` is people by skill and quarter hour."""

    first: date
    days: int
    seconds: int
    seed: int
    need: Mapping[tuple[str, int], int]
    warm_start: str = ""


async def set_contract(
    tx: Transaction, people: Store, *, site: str, person_id: str, contract: Contract, actor: str
) -> None:
    """Set a contract. Raises InvalidArgument for one that contradicts itself, FailedPrecondition for who left."""
    person = await people.get(tx, site, person_id, lock=True)
    if not person.active:
        raise person_left(person.name)
    found = [FieldViolation(field, reason) for field, reason in faults(contract)]
    if contract.mentor:
        mentor = await people.get(tx, site, contract.mentor)
        if contract.mentor == person_id or not (mentor.active and mentor.profile.certified):
            found.append(FieldViolation("contract.mentor", "is not a certified colleague"))
    if found:
        raise InvalidArgument(fields=found)
    await store.set_contract(tx, site, person_id, contract)
    tx.audit(Entry(site, actor, "contract.set", f"{person.name}/contract"))


async def known(tx: Reading, people: Store, profile: Profile, *, first: date, days: int) -> Known:
    """What a site knows: everybody at work there, contracts, and the published shifts before and in these days."""
    site, everybody = profile.site, []
    after, page = "", await people.page(tx, profile.site, after="", states=(), inactive=False, limit=500)
    while page:
        everybody += page
        after = page[-1].id
        page = await people.page(tx, site, after=after, states=(), inactive=False, limit=500)
    since, end = first - timedelta(days=rostering.PAST_DAYS), first + timedelta(days=days + 1)
    standing = await store.standing(tx, site, since, end)
    return Known(
        profile, everybody, await store.contracts(tx, site), standing, await store.covered(tx, site, first, end)
    )


async def create_run(
    tx: Transaction, people: Store, profile: Profile, wanted: Wanted, *, run_id: str, actor: str
) -> None:
    """Queue a search over everything as it is now. Raises InvalidArgument and FailedPrecondition PROFILE_FORBIDS."""
    site = profile.site
    if wanted.first.weekday() or wanted.days % 7:
        raise InvalidArgument.field("roster_run.first_day", "whole weeks from a Monday", "whole_weeks")
    if not profile.roster.shifts:
        raise FailedPrecondition(errors_pb2.ERROR_REASON_PROFILE_FORBIDS, {"setting": "roster.shifts"})
    start = None
    if wanted.warm_start:
        before = await store.run(tx, site, wanted.warm_start)
        if before is None:
            raise not_found(f"sites/{site}/rosterRuns/{wanted.warm_start}")
        if (before["first_day"], before["days"]) != (wanted.first, wanted.days):
            raise InvalidArgument.field("warm_start", "is a run of other days", "same_days")
        start = before["best"]
    knowledge = await known(tx, people, profile, first=wanted.first, days=wanted.days)
    problem = _posed(knowledge, wanted.first, wanted.days, wanted.need)
    raw = msgspec.json.encode(problem).decode()
    values = (wanted.first, wanted.days, wanted.seconds or 120, wanted.seed or 1, raw, start, tx.now, actor)
    await store.add_run(tx, site, run_id, *values)
    tx.audit(Entry(site, actor, "roster.run", f"sites/{site}/rosterRuns/{run_id}"))
    tx.hint(QUEUED)


async def cancel(tx: Transaction, *, site: str, run_id: str, actor: str) -> None:
    """Ask a run to end. Raises NotFound, and FailedPrecondition once it has ended."""
    row = await run(tx, site, run_id, lock=True)
    if row["state"] in ENDED:
        raise _wrong_state(site, row)
    await store.cancel(tx, site, run_id)
    tx.audit(Entry(site, actor, "roster.cancel", f"sites/{site}/rosterRuns/{run_id}"))
    tx.hint(WATCHED)


async def publish(
    tx: Transaction,
    people: Store,
    profile: Profile,
    *,
    run_id: str,
    given: Sequence[Shift],
    agreed: Collection[str],
    actor: str,
) -> int:
    """Publish a run's roster, or the given shifts; its number. Raises FailedPrecondition where a rule is broken.

    The checker judges by the people, contracts and rules of this moment, not by those that the search began with.
    """
    site = profile.site
    await store.lock_site(tx, site)
    row = await run(tx, site, run_id, lock=True)
    if row["state"] not in {"SUCCEEDED", "CANCELLED"} or row["best"] is None:
        raise _wrong_state(site, row)
    first, days = row["first_day"], row["days"]
    shifts = list(given) or rostering.shifts(profile, first, json.loads(row["best"])["roster"])
    knowledge = await known(tx, people, profile, first=first, days=days)
    _judge(knowledge, row, shifts)
    before = await store.standing(tx, site, first, first + timedelta(days=days))
    different = changed(before, shifts)
    notice = tx.now + timedelta(hours=profile.roster.change_notice_h)
    late = sorted(
        {
            one.person
            for pair in different
            for one in pair
            if one is not None and one.start < notice and one.person not in agreed
        }
    )
    if profile.roster.change_notice_h and late:
        hours = profile.roster.change_notice_h
        raise _guard(f"{hours} h of notice, or the agreement of {', '.join(late)}")
    number = await store.publish(tx, site, row, shifts, by=actor, changed=len(different))
    tx.audit(Entry(site, actor, "roster.publish", f"sites/{site}/rosters/{number}", f"{len(different)} shifts"))
    return number


def _posed(knowledge: Known, first: date, days: int, need: Mapping[tuple[str, int], int]) -> Problem:
    """The problem as it is now. Raises FailedPrecondition where there is nobody, or no shift, to make a roster of."""
    try:
        return rostering.problem(knowledge, first, days, need)
    except NothingToRosterError as error:
        raise _guard(str(error)) from error


def _judge(knowledge: Known, row: asyncpg.Record, shifts: Sequence[Shift]) -> None:
    """Raise FailedPrecondition with the first broken rules, by the problem as it would be posed now."""
    posed = json.loads(row["problem"])
    need = {(skill, slot): people for skill, cells in posed["need"].items() for slot, people in cells}
    asked = {key: people for key, people in need.items() if key[0] != rostering.SUPERVISOR}
    now = msgspec.to_builtins(_posed(knowledge, row["first_day"], row["days"], asked), str_keys=True)
    gave_way = {one["id"]: one for one in posed["people"]}
    for person in now["people"]:
        person["published"] = {}
        # what gave way for the search stays so; leave that came since then counts
        person["fixed"] = gave_way.get(person["id"], person)["fixed"]
    roster = rostering.document(knowledge.profile, row["first_day"], shifts)
    everybody: dict[str, list[object]] = {one["id"]: [] for one in [*now["people"], *now["trainees"]]}
    broken = judge_site(now, {"roster": {**everybody, **roster}}).broken
    if broken:
        raise _guard("; ".join(broken[:5]) + (f" (+{len(broken) - 5})" if len(broken) > 5 else ""))


async def run(tx: Reading, site: str, run_id: str, *, lock: bool = False) -> asyncpg.Record:
    """A run. Raises NotFound."""
    row = await store.run(tx, site, run_id, lock=lock)
    if row is None:
        raise not_found(f"sites/{site}/rosterRuns/{run_id}")
    return row


def _guard(words: str) -> FailedPrecondition:
    return FailedPrecondition(errors_pb2.ERROR_REASON_GUARD_NOT_MET, {"guard": words})


def _wrong_state(site: str, row: asyncpg.Record) -> FailedPrecondition:
    name = f"sites/{site}/rosterRuns/{row['run_id']}"
    return FailedPrecondition(metadata={"name": name, "state": row["state"], "allowed": "-"})
