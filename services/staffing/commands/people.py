"""What changes people and their presence: each in one transaction, with its events, once per request id."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.kit.audit import Entry
from services.kit.db import Transaction
from services.staffing.convert import facts
from services.staffing.domain.person import Person, Profile, edited, joined, left, present
from services.staffing.domain.presence import State
from services.staffing.errors import person_left, stale
from services.staffing.store.people import Store


async def create(tx: Transaction, store: Store, *, site: str, person_id: str, profile: Profile, actor: str) -> Person:
    """Add a person, offline. Raises AlreadyExists when the id was ever used."""
    person = joined(site, person_id, profile, tx.now)
    await store.insert(tx, person, actor=actor)
    tx.publish(*facts(None, person, actor))
    tx.audit(Entry(site, actor, "person.create", person.name))
    return person


async def update(
    tx: Transaction,
    store: Store,
    *,
    site: str,
    person_id: str,
    profile: Profile,
    paths: Sequence[str],
    etag: str,
    actor: str,
) -> Person:
    """Take the named fields over from `profile`. Raises Aborted for a stale etag, FailedPrecondition once they left."""
    person = await store.get(tx, site, person_id, lock=True)
    if not person.active:
        raise person_left(person.name)
    if etag and etag != person.etag:
        raise stale(person.name)
    after = edited(person, person.profile.changed(profile, paths))
    return await _write(tx, store, person, after, f"person.update {','.join(paths)}", actor)


async def deactivate(tx: Transaction, store: Store, *, site: str, person_id: str, actor: str) -> Person:
    """End a person's work at the site."""
    person = await store.get(tx, site, person_id, lock=True)
    return await _write(tx, store, person, left(person, tx.now), "person.deactivate", actor)


async def set_presence(
    tx: Transaction,
    store: Store,
    *,
    site: str,
    person_id: str,
    state: State,
    actor: str,
    counted: Callable[[State], None],
) -> Person:
    """Change a person's presence. Raises FailedPrecondition for somebody who left."""
    person = await store.get(tx, site, person_id, lock=True)
    if not person.active:
        raise person_left(person.name)
    after = present(person, state, max(tx.now, person.presence.since))
    if after is not person:
        tx.after_commit(lambda: counted(state))
    return await _write(tx, store, person, after, None if actor == person_id else f"presence.set {state}", actor)


async def _write(
    tx: Transaction, store: Store, before: Person, after: Person, action: str | None, actor: str
) -> Person:
    if after is before:
        return before
    await store.update(tx, before, after, actor=actor)
    tx.publish(*facts(before, after, actor))
    if action:
        name, _, detail = action.partition(" ")
        tx.audit(Entry(after.site, actor, name, after.name, detail))
    return after
