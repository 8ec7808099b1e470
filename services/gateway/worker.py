"""What the gateway does besides answering: webhooks, the audit chain, and ending what is over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Final

import uvloop

from services.gateway.config import GatewayConfig
from services.gateway.identity.store import expire_sessions
from services.gateway.metrics import GatewayMetrics
from services.gateway.webhooks import store
from services.gateway.webhooks.events import Intake
from services.gateway.webhooks.sender import sender
from services.kit import audit, erasure
from services.kit.config import ConfigError
from services.kit.crypto import Keys, Vault
from services.kit.db import Database
from services.kit.errors import KefuError
from services.kit.figures import Figures
from services.kit.inbox import Consumer, expire_inbox
from services.kit.outbound.egress import Egress
from services.kit.relay import Relay
from services.kit.telemetry.http import MetricsPort
from services.kit.telemetry.trace import Tracer
from services.kit.uow import expire_replies

SERVICE: Final = "gateway"
CONSUMER: Final = "gateway-webhooks"
SUBJECTS: Final = ("kefu.*.*.*",)
# Durable consumers that must have had an event before the outbox forgets it.
HEARD_BY: Final = ("crm-erasure",)
_HOUSEKEEPING_SECONDS: Final = 600.0
_KEEP_DAYS: Final = 30


class Worker:
    """The background work of one process; open and close it inside one event loop."""

    def __init__(
        self, config: GatewayConfig, database: Database, metrics: GatewayMetrics, figures: Figures, tracer: Tracer
    ) -> None:
        if config.nats is None:
            raise ConfigError(["KEFU_NATS_URL is not set: NATS URL; the worker needs it"])
        if config.sealing_keys is None:
            raise ConfigError(["KEFU_SEALING_KEYS is not set: file of the keys that seal webhook secrets"])
        self._config = config
        self._database = database
        self._egress = Egress(private=config.webhooks_private)
        vault = Vault(Keys.read(config.sealing_keys))
        self.sender = sender(database, vault, self._egress, metrics.deliveries)
        self._figures = figures
        self._relay = Relay(database, config.nats, consumers=HEARD_BY, absent=config.absent, progress=figures.consumers)
        self.consumers = [
            Consumer(database, config.nats, name=name, subjects=subjects, handler=handler, tracer=tracer)
            for name, subjects, handler in (
                (CONSUMER, SUBJECTS, Intake(self.sender.news.set)),
                (erasure.consumer_of(SERVICE), erasure.REQUESTS, erasure.Handler(store.forget)),
            )
        ]

    async def run(self) -> None:
        """Work for ever; ends by cancellation."""
        try:
            async with asyncio.TaskGroup() as group:
                for consumer in self.consumers:
                    group.create_task(consumer.run(), name=consumer.name)
                group.create_task(self._relay.run(), name="relay")
                group.create_task(self.sender.run(), name="webhook sender")
                group.create_task(audit.keep_sealed(self._database), name="audit")
                group.create_task(self._figures.keep(), name="figures")
                group.create_task(self._housekeeping(), name="housekeeping")
        finally:
            await self._egress.close()

    async def _housekeeping(self) -> None:
        while True:
            with contextlib.suppress(KefuError):  # the database is away: the next round does it
                await expire_sessions(self._database, self._config.session_idle_seconds)
                async with self._database.transaction() as tx:
                    await expire_replies(tx)
                    await expire_inbox(tx)
                    await tx.execute(
                        "DELETE FROM webhook_deliveries WHERE state <> 'PENDING'"
                        " AND created_at < now() - make_interval(days => $1)",
                        _KEEP_DAYS,
                    )
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)


def work(config: GatewayConfig) -> None:
    """Run the worker as a process of its own."""
    uvloop.run(run(config))


async def run(config: GatewayConfig) -> None:
    """Run the worker until SIGTERM or SIGINT. Raises ConfigError, CryptoError or Unavailable when it cannot start."""
    metrics = GatewayMetrics()
    tracer = Tracer.from_environment(os.environ, SERVICE)
    database = Database(config.database, SERVICE, size=config.database_connections)
    await database.open(hints=False)
    port = MetricsPort(metrics.registry, config.metrics_listen)
    figures = Figures(metrics.catalogue, database)
    worker = asyncio.create_task(Worker(config, database, metrics, figures, tracer).run(), name="worker")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.cancel)
    port.start()
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await worker
    finally:
        await asyncio.to_thread(port.stop)
        await asyncio.to_thread(tracer.close)
        await database.close()
