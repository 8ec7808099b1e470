"""Takes a file of people over: each line in a transaction of its own, mentors before those whom they teach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.kit.db import Database, Transaction
from services.kit.errors import KefuError, NotFound
from services.staffing.commands import people as of_people
from services.staffing.commands import rosters as of_rosters
from services.staffing.domain.person import EDITABLE
from services.staffing.files.people import Entry, Refusal
from services.staffing.store import rosters as store
from services.staffing.store.people import Store


@dataclass(slots=True)
class Imported:
    """What became of the lines."""

    added: int = 0
    changed: int = 0
    same: int = 0
    refused: list[Refusal] = field(default_factory=list)


async def import_people(
    database: Database, people: Store, *, site: str, lines: Sequence[Entry | Refusal], actor: str
) -> Imported:
    """Add or change everybody; a line that the service refuses is told like one that cannot be read."""
    done = Imported(refused=[one for one in lines if isinstance(one, Refusal)])
    for entry in sorted((one for one in lines if isinstance(one, Entry)), key=lambda one: bool(one.contract.mentor)):
        try:
            async with database.transaction(sites=[site]) as tx:
                outcome = await _take(tx, people, site, entry, actor)
        except KefuError as error:
            words = "; ".join(f"{one.field} {one.description}" for one in error.fields) or str(error)
            done.refused.append(Refusal(entry.line, entry.person, words))
        else:
            setattr(done, outcome, getattr(done, outcome) + 1)
    done.refused.sort(key=lambda one: one.line)
    return done


async def _take(tx: Transaction, people: Store, site: str, entry: Entry, actor: str) -> str:
    """Take one line over; says "added", "changed" or "same"."""
    try:
        before = await people.get(tx, site, entry.person, lock=True)
    except NotFound:
        before = None
        await of_people.create(tx, people, site=site, person_id=entry.person, profile=entry.profile, actor=actor)
    known = (await store.contracts(tx, site, [entry.person])).get(entry.person)
    if before is not None and before.profile != entry.profile:
        await of_people.update(
            tx, people, site=site, person_id=entry.person, profile=entry.profile, paths=EDITABLE, etag="", actor=actor
        )
    marks = {*(known.marks if known else ())} ^ {*entry.contract.marks}
    terms = (entry.contract.least, entry.contract.most, entry.contract.mentor)
    if known is None or marks or (known.least, known.most, known.mentor) != terms:
        contract = entry.contract
        await of_rosters.set_contract(tx, people, site=site, person_id=entry.person, contract=contract, actor=actor)
    elif before is not None and before.profile == entry.profile:
        return "same"
    return "added" if before is None else "changed"
