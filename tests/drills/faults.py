"""What a drill may break, and the alert that must then fire. Each fault lasts as long as its `with` block."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import asyncpg
import httpx
import psutil

from services.kit.access import Kind
from services.kit.auth import TokenSigner
from services.kit.embedded import EmbeddedPostgres
from services.stack.home import Home
from services.stack.infra import DATABASE
from services.stack.processes import console_url

SITE = "online-desk"
STALL_SECONDS, GO_SECONDS = 1.2, 0.15
ARRIVALS_A_SECOND = 4.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong; `alert` must fire with these labels (in PromQL), `words` tell what it was."""

    alert: str
    words: str
    inject: Callable[[Home], AbstractContextManager[None]]
    labels: str = ""

    @property
    def query(self) -> str:
        """What has a value while the alert fires because of this fault, and not because of another site's day."""
        return f'ALERTS{{alertname="{self.alert}",alertstate="firing",{self.labels}}}'


@contextmanager
def _beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run work in a thread until the block ends."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


@contextmanager
def slow_database(home: Home) -> Iterator[None]:
    """PostgreSQL's sessions stand still most of the time, as on a disk that is worn out or shared with a greedy one."""
    postmaster = psutil.Process(int((EmbeddedPostgres(home.postgres).data / "postmaster.pid").read_text().split()[0]))

    def stall(stop: threading.Event) -> None:
        while not stop.wait(GO_SECONDS):
            stalled = [one for one in postmaster.children() if _suspend(one)]
            stop.wait(STALL_SECONDS)
            for one in stalled:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.resume()

    with _beside(stall):
        yield


def _suspend(process: psutil.Process) -> bool:
    """Stop a session of our database; False for the server's own processes, and for one that has just ended."""
    try:
        if f" {DATABASE} " not in " ".join(process.cmdline()):
            return False
        process.suspend()
    except psutil.NoSuchProcess:
        return False
    return True


@contextmanager
def stuck_consumer(home: Home) -> Iterator[None]:
    """Somebody began an index on the gateway's inbox by hand and left it open: events are read, none is done."""

    async def hold(stop: threading.Event) -> None:
        connection = await asyncpg.connect(
            EmbeddedPostgres(home.postgres).dsn(DATABASE), server_settings={"application_name": "psql"}
        )
        try:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute("CREATE INDEX inbox_by_event ON gateway.kefu_inbox (event_id)")
            await asyncio.to_thread(stop.wait)
            await transaction.rollback()
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            pass  # whoever is on call has ended the session, as the runbook says
        finally:
            connection.terminate()

    with _beside(lambda stop: asyncio.run(hold(stop))):
        yield


@contextmanager
def surge(home: Home) -> Iterator[None]:
    """Far more customers than people at one site; in the end those who still wait give up."""
    private = max(home.keys.glob("*.key"))
    signer = TokenSigner.from_pem(private.stem, private.read_bytes())
    crowd: dict[str, str] = {}

    def post(http: httpx.Client, path: str, customer: str, body: object) -> str:
        token = signer.sign(customer, Kind.CUSTOMER, ttl=600, site=SITE, channel="WEB", customer=customer)
        with contextlib.suppress(httpx.HTTPError):
            reply = http.post(f"/v1/{path}", json=body, headers={"Authorization": f"Bearer {token}"})
            return str(reply.json().get("name", ""))
        return ""

    def arrive(stop: threading.Event) -> None:
        body = {"conversation": {"channel": "CHANNEL_WEB"}, "firstMessage": "在吗"}
        while not stop.wait(1 / ARRIVALS_A_SECOND):
            customer = f"crowd-{uuid.uuid4().hex[:10]}"
            crowd[customer] = post(http, f"sites/{SITE}/conversations", customer, body)

    with httpx.Client(base_url=console_url(home), timeout=20.0, trust_env=False) as http:
        with _beside(arrive):
            yield
        for customer, conversation in crowd.items():
            if conversation:
                post(http, f"{conversation}:leave", customer, {})


FAULTS: Mapping[str, Fault] = {
    "slow-database": Fault("DatabaseSlow", "PostgreSQL's sessions stood still nine tenths of the time", slow_database),
    "stuck-consumer": Fault(
        "ConsumerStuck",
        "an open CREATE INDEX held the gateway's inbox, application psql",
        stuck_consumer,
        'consumer="gateway-webhooks"',
    ),
    "surge": Fault(
        "ServiceLevelLow", f"{ARRIVALS_A_SECOND:g} more customers a second at {SITE}", surge, f'site="{SITE}"'
    ),
}


def until_free(condition: Callable[[], bool], seconds: float) -> float | None:
    """Poll; returns the seconds that it took, None when it did not come true in time."""
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        if condition():
            return time.monotonic() - began
        time.sleep(1)
    return None
