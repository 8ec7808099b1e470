"""Webhook deliveries as the courier of the kit sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from prometheus_client import Counter

from services.gateway.webhooks import store
from services.gateway.webhooks.servicer import PURPOSE
from services.gateway.webhooks.store import Due
from services.kit.crypto import CryptoError, Vault
from services.kit.db import Database
from services.kit.outbound.courier import WAITS, Courier, Fate, Outcome
from services.kit.outbound.egress import Egress
from services.kit.outbound.post import post_signed
from services.kit.telemetry.metrics import Family


class Deliveries:
    """The table of deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, limit: int, lease_seconds: float) -> list[Due]:
        """Take what is due."""
        return await store.claim(self._database, limit, lease_seconds)

    async def settle(self, parcel: Due, outcome: Outcome, wait: float | None) -> None:
        """Note how a try went."""
        if outcome.fate is Fate.DELIVERED:
            await store.delivered(self._database, parcel.id, outcome.status or 0)
        else:
            await store.failed(self._database, parcel.id, status=outcome.status, error=outcome.error, wait=wait)


def sender(
    database: Database,
    vault: Vault,
    egress: Egress,
    outcomes: Family[Counter],
    *,
    waits: Sequence[float] = WAITS,
    now: Callable[[], float] = time.time,
) -> Courier[Due]:
    """The courier that posts deliveries to their webhooks, signed."""

    async def send(due: Due) -> Outcome:
        try:
            secrets = [vault.open(one, purpose=PURPOSE, record=due.webhook) for one in due.secrets]
        except CryptoError as fault:
            return Outcome(Fate.FAILED, None, f"{type(fault).__name__}: {fault}")
        stamp = int(now())
        return await post_signed(egress, due.url, due.body, secrets=secrets, message_id=due.event_id, timestamp=stamp)

    return Courier(Deliveries(database), send, lambda word: outcomes[word].inc(), waits=waits)
