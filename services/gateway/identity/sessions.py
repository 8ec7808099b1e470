"""Sessions: opened by sign-in, looked up by the cookie, ended by sign-out. The cookie is only a random id."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from kefu.common.v1 import errors_pb2
from prometheus_client import Counter

from services.gateway.config import GatewayConfig
from services.gateway.identity import store
from services.gateway.identity.passwords import Passwords
from services.gateway.identity.secrets import digest, new_secret
from services.gateway.identity.user import User
from services.gateway.limits import RateLimit
from services.gateway.runtime import Runtime
from services.kit.audit import Entry
from services.kit.db import Database
from services.kit.errors import ResourceExhausted, Unauthenticated
from services.kit.telemetry.metrics import Family

# How long another process may go on with a session that was ended here.
TRUST_SECONDS: Final = 3.0
_REMEMBERED: Final = 20_000
EVERYWHERE: Final = "*"


def sign_in_failed() -> Unauthenticated:
    """The one answer to every failed sign-in: it never says what was wrong."""
    return Unauthenticated(errors_pb2.ERROR_REASON_SIGN_IN_FAILED)


class Sessions:
    """Sign-in, sign-out and look-up. A session is trusted for TRUST_SECONDS, so that most requests ask nothing."""

    def __init__(
        self,
        runtime: Runtime,
        config: GatewayConfig,
        passwords: Passwords,
        outcomes: Family[Counter],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtime = runtime
        self._config = config
        self._passwords = passwords
        self._outcomes = outcomes
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, tuple[float, User]] = OrderedDict()
        self._lock = threading.Lock()
        self._by_address = RateLimit(burst=20, per_second=0.5)
        self._by_name = RateLimit(burst=6, per_second=0.25)

    def sign_in(self, user_name: str, password: str, *, address: str, old_session: str = "") -> tuple[str, User]:
        """Check a local account and open a session: (its id for the cookie, the user). Ends `old_session`.

        Raises Unauthenticated SIGN_IN_FAILED for an unknown name, wrong password, locked or ended account, at the same
        cost each; ResourceExhausted after too many tries from one address or for one name.
        """
        name = user_name.strip().casefold()[:200]
        self._limit(address, name)
        known = self._runtime.run(store.find_by_name, self._runtime.database, name)
        usable = known is not None and known.active and not known.locked
        fits = self._passwords.verify(known.password_hash if known is not None and usable else None, password)
        if known is None or not (fits and usable):
            self._runtime.run(_note_failure, self._runtime.database, name, known.user.subject if known else "")
            self._outcomes["failed"].inc()
            raise sign_in_failed()
        self._outcomes["ok"].inc()
        self._by_address.give_back(address)
        self._by_name.give_back(name)
        if known.password_hash is not None and self._passwords.outdated(known.password_hash):
            self._runtime.run(_rehash, self._runtime.database, known.user.subject, self._passwords.hash(password))
        return self.open(known.user, how="password", old_session=old_session), known.user

    def _limit(self, address: str, name: str) -> None:
        try:
            self._by_address.take(address)
            self._by_name.take(name)
        except ResourceExhausted:
            self._outcomes["limited"].inc()
            raise

    def open(self, user: User, *, how: str, old_session: str = "") -> str:
        """Open a session for a user whose identity is proved; the new id, never one that was seen before."""
        session = new_secret()
        database = self._runtime.database
        self._runtime.run(_open, database, user, digest(session), self._config.session_seconds, how, old_session)
        self._forget(old_session)
        return session

    def find(self, session: str) -> User | None:
        """The user of a session id, None when it is unknown, ended, idle for too long, or the account was disabled."""
        if not session or len(session) > 100:
            return None
        key = digest(session)
        known = self._known.get(key)
        if known is not None and self._monotonic() - known[0] < TRUST_SECONDS:
            return known[1]
        asked = self._monotonic()
        user = self._runtime.run(store.find_session, self._runtime.database, key, self._config.session_idle_seconds)
        with self._lock:
            self._known.pop(key, None)
            if user is not None:
                self._known[key] = (asked, user)
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return user

    def sign_out(self, session: str) -> None:
        """End one session."""
        self._forget(session)
        self._runtime.run(_sign_out, self._runtime.database, digest(session))

    def sign_out_everywhere(self, account: str, *, by: str) -> int:
        """End every session of an account; how many there were."""
        count = self._runtime.run(_sign_out_everywhere, self._runtime.database, account, by)
        self.forget_account(account)
        return count

    def forget_account(self, account: str) -> None:
        """Look an account's sessions up again at their next request: roles or state changed."""
        with self._lock:
            for key in [key for key, (_, user) in self._known.items() if user.subject == account]:
                del self._known[key]

    def _forget(self, session: str) -> None:
        if session:
            with self._lock:
                self._known.pop(digest(session), None)


async def _note_failure(database: Database, name: str, account: str) -> None:
    await store.count_failure(database, name)
    async with database.transaction() as tx:
        # What was typed as the name of no account may be a password: it is not written down.
        tx.audit(Entry(EVERYWHERE, account or "anonymous", "sign_in_failed", f"accounts/{account or '-'}"))


async def _rehash(database: Database, account: str, password_hash: str) -> None:
    async with database.transaction() as tx:
        await store.set_password_hash(tx, account, password_hash)


async def _open(database: Database, user: User, key: bytes, seconds: float, how: str, old_session: str) -> None:
    async with database.transaction() as tx:
        if old_session:
            await store.end_session(tx, digest(old_session))
        await store.open_session(tx, user.subject, key, seconds)
        tx.audit(Entry(EVERYWHERE, user.subject, "signed_in", f"accounts/{user.subject}", how))


async def _sign_out(database: Database, key: bytes) -> None:
    async with database.transaction() as tx:
        account = await store.end_session(tx, key)
        if account is not None:
            tx.audit(Entry(EVERYWHERE, account, "signed_out", f"accounts/{account}"))


async def _sign_out_everywhere(database: Database, account: str, by: str) -> int:
    async with database.transaction() as tx:
        count = await store.end_sessions(tx, account)
        tx.audit(Entry(EVERYWHERE, by, "signed_out_everywhere", f"accounts/{account}", str(count)))
        return count
