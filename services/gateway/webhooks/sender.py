"""Sends what is due, tries again later and later, parks after the last try."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

import httpcore
from prometheus_client import Counter

from services.gateway.webhooks import signature, store
from services.gateway.webhooks.egress import ANSWER_SECONDS, Egress
from services.gateway.webhooks.servicer import PURPOSE
from services.gateway.webhooks.store import Due
from services.kit.crypto import CryptoError, Vault
from services.kit.db import Database
from services.kit.errors import KefuError
from services.kit.telemetry.metrics import Family

# Seconds after each failed try; some 28 hours in all, then it is parked.
WAITS: Final = (5.0, 30.0, 120.0, 600.0, 3_600.0, 21_600.0, 75_600.0)
AT_A_TIME: Final = 20
POLL_SECONDS: Final = 1.0
_LEASE_SECONDS: Final = 3 * ANSWER_SECONDS
_log: Final = logging.getLogger("kefu.webhooks")


class Sender:
    """Delivers for ever; any number of senders share the table."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        egress: Egress,
        outcomes: Family[Counter],
        *,
        waits: tuple[float, ...] = WAITS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._vault = vault
        self._egress = egress
        self._outcomes = outcomes
        self._waits = waits
        self._now = now
        self.news = asyncio.Event()

    async def run(self) -> None:
        """Send for ever; ends by cancellation."""
        while True:
            try:
                sent = await self.send_due()
            except KefuError as error:  # the database is away: deliveries wait
                _log.warning("deliveries wait", extra={"reason": error.reason_name})
                sent = 0
            if not sent:
                await self._rest()

    async def send_due(self) -> int:
        """One round; how many were tried."""
        due = await store.claim(self._database, AT_A_TIME, _LEASE_SECONDS)
        await asyncio.gather(*map(self._send, due))
        return len(due)

    async def _rest(self) -> None:
        self.news.clear()
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self.news.wait()
        except TimeoutError:
            return

    async def _send(self, due: Due) -> None:
        status, error = await self._try(due)
        if status is not None and 200 <= status < 300:
            await store.delivered(self._database, due.id, status)
            self._outcomes["delivered"].inc()
            return
        wait = self._waits[due.tries - 1] if due.tries <= len(self._waits) else None
        await store.failed(self._database, due.id, status=status, error=error or f"HTTP {status}", wait=wait)
        self._outcomes["parked" if wait is None else "retried"].inc()

    async def _try(self, due: Due) -> tuple[int | None, str]:
        try:
            secrets = [self._vault.open(one, purpose=PURPOSE, record=due.webhook) for one in due.secrets]
            headers = signature.headers(secrets, due.event_id, int(self._now()), due.body)
            return await self._egress.post(due.url, due.body, headers), ""
        except (
            OSError,
            TimeoutError,
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
        ) as fault:
            return None, f"{type(fault).__name__}: {fault}"
        except (CryptoError, httpcore.UnsupportedProtocol) as fault:
            return None, f"{type(fault).__name__}: {fault}"
