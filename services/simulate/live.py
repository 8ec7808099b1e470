"""Small live traffic for a local stack, so that the console is alive: marked as simulated, stopped from the console.

    python -m services.simulate.live

It asks the gateway every few seconds whether it may run, and never runs in a production environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kefu.intake.v1 import conversation_pb2 as pb
from kefu.staffing.v1.person_pb2 import Presence

from services.kit.client.settings import CallsConfig
from services.kit.config import setting
from services.kit.errors import KefuError
from services.policy.profile import Profile
from services.policy.versions import Profiles
from services.simulate.desk import Desk
from services.simulate.gateway import Gateway, GatewayTokens
from services.simulate.words import ANSWERS, GREETING, QUESTIONS, THANKS

LOOK_SECONDS: Final = 3.0
STEP_SECONDS: Final = 1.0
# About one new customer a site in this time; a tenth of them leave before an answer.
BETWEEN_SECONDS: Final = 25.0
PATIENCE_SECONDS: Final = (45.0, 240.0)
THINKING_SECONDS: Final = (4.0, 45.0)
TURNS: Final = (1, 3)
_log: Final = logging.getLogger("kefu.simulator")


class RefusedError(RuntimeError):
    """Simulated traffic must not run here."""


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """What the generator needs."""

    client_id: str = setting("KEFU_CLIENT_ID", help="Its service account")
    client_secret: str = setting("KEFU_CLIENT_SECRET", help="The account's secret", secret=True)
    public_url: str = setting("KEFU_PUBLIC_URL", help="The gateway")
    profiles: Path = setting("KEFU_PROFILES", help="Folder of the site profiles")
    signing_keys: Path = setting("KEFU_SIGNING_KEYS", help="Keys of the local stack, for the people whom it plays")
    environment: str = setting("KEFU_ENVIRONMENT", "prod", help="local, dev or test; anything else is refused")
    calls: CallsConfig = field(default_factory=CallsConfig)

    def __post_init__(self) -> None:
        """Refuse to be configured for a place where real customers are."""
        if self.environment not in ("local", "dev", "test"):
            raise ValueError(f"simulated traffic cannot run in the environment {self.environment!r}")
        if missing := {"intake", "staffing"} - self.calls.addresses.keys():
            raise ValueError(f"KEFU_TARGETS names no {', '.join(sorted(missing))}")


@dataclass(slots=True)
class Talk:
    """One simulated conversation."""

    name: str
    customer: str
    channel: str
    tier: str
    turns: int
    leaves_at: float
    person: str = ""
    next_at: float = 0.0


@dataclass(slots=True)
class Site:
    """One site's traffic: its simulated people, what is going on, when the next customer comes."""

    profile: Profile
    desk: Desk
    people: frozenset[str]
    draw: random.Random
    next_at: float = 0.0
    talks: dict[str, Talk] = field(default_factory=dict)

    async def step(self, now: float) -> None:
        """Whatever is due now."""
        if now >= self.next_at and len(self.talks) < 8:
            self.next_at = now + self.draw.expovariate(1 / BETWEEN_SECONDS)
            await self._arrive(now)
        for offer in await self.desk.offered():
            talk = self.talks.get(offer.name)
            if talk is not None and offer.assignee in self.people and not talk.person:
                if not talk.next_at:
                    talk.next_at = now + self.draw.uniform(*THINKING_SECONDS)
                elif now >= talk.next_at:
                    await self._take(talk, offer.assignee, now)
        for talk in list(self.talks.values()):
            await self._go_on(talk, now)

    async def _arrive(self, now: float) -> None:
        channel = self.draw.choice([name for name in self.profile.channels if name != "PHONE"] or ["WEB"])
        queue = self.draw.choice([queue.id for queue in self.profile.queues.values() if queue.kind != "TICKET"])
        tiers = list(self.profile.routing.tier_weights) or [self.profile.routing.default_tier]
        customer = f"sim-{self.draw.getrandbits(40):010x}"
        opened = await self.desk.arrive(
            channel=pb.Channel.Value(f"CHANNEL_{channel}"),
            key=f"sim-{self.draw.getrandbits(64):016x}",
            customer=customer,
            tier=self.draw.choice(tiers),
            queue=queue,
            text=self.draw.choice(QUESTIONS),
        )
        patience = self.draw.uniform(*PATIENCE_SECONDS)
        turns = self.draw.randint(*TURNS)
        self.talks[opened.name] = Talk(opened.name, customer, channel, opened.tier, turns, now + patience)

    async def _take(self, talk: Talk, person: str, now: float) -> None:
        taken = await self.desk.accept(talk.name, person)
        talk.person, talk.next_at = person, now + self.draw.uniform(2, 8)
        reception = self.profile.reception
        if not (reception.opening or reception.names_agent):  # else the opening is said, or must name them
            await self.desk.say(talk.name, person, GREETING, kind=pb.Message.KIND_GREETING)
        if taken.state == pb.Conversation.STATE_RECEPTION:
            await self.desk.record_need(talk.name, person)

    async def _go_on(self, talk: Talk, now: float) -> None:
        if not talk.person:
            if now >= talk.leaves_at:
                del self.talks[talk.name]
                await self.desk.leave(talk.name, channel=talk.channel, customer=talk.customer, tier=talk.tier)
            return
        if now < talk.next_at:
            return
        await self.desk.say(talk.name, talk.person, self.draw.choice(ANSWERS))
        talk.turns -= 1
        if talk.turns > 0:
            await self.desk.ask(
                talk.name,
                self.draw.choice(QUESTIONS),
                channel=talk.channel,
                customer=talk.customer,
                tier=talk.tier,
            )
            talk.next_at = now + self.draw.uniform(*THINKING_SECONDS)
            return
        del self.talks[talk.name]
        await self.desk.say(talk.name, talk.person, THANKS)
        await self.desk.close(talk.name, talk.person)
        if self.draw.random() < 0.6 and self.profile.rating:
            score = min(self.profile.rating.max, self.draw.choices((5, 4, 3, 2), (60, 25, 10, 5))[0])
            await self.desk.rate(talk.name, channel=talk.channel, customer=talk.customer, tier=talk.tier, score=score)

    async def set_presence(self, state: Presence.State.ValueType) -> None:
        """Bring the simulated people to their desks, or send them home."""
        for person in sorted(self.people):
            await self.desk.be(person, state)


class Live:
    """All sites' traffic."""

    def __init__(self, config: LiveConfig, gateway: Gateway, *, seed: int | None = None) -> None:
        self._config = config
        self._gateway = gateway
        self._seed = seed
        self._sites: list[Site] = []
        self._at_work = False

    async def run(self, monotonic: Callable[[], float]) -> None:
        """Run for ever; ends by cancellation. Whatever fails is tried again: services may be restarting."""
        look_at = 0.0
        allowed = False
        async with contextlib.AsyncExitStack() as stack:
            await self._open(stack)
            while True:
                now = monotonic()
                if now >= look_at:
                    look_at = now + LOOK_SECONDS
                    allowed = await asyncio.to_thread(self._may_run)
                    await self._turn(on=allowed)
                if allowed:
                    for site in self._sites:
                        await _tried(site.step(now))
                await asyncio.sleep(STEP_SECONDS)

    def _may_run(self) -> bool:
        try:
            return self._gateway.simulation_runs()
        except OSError:
            return False

    async def _turn(self, *, on: bool) -> None:
        if on == self._at_work:
            return
        done = [await _tried(site.set_presence(_presence(on=on))) for site in self._sites]
        if all(done):
            self._at_work = on
            _log.info("simulated traffic %s", "runs" if on else "stopped")

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        addresses = self._config.calls.addresses
        tokens = GatewayTokens(self._gateway, self._config.signing_keys)
        in_force = Profiles(self._config.profiles).current
        for site in in_force.sites:
            desk = Desk(intake=addresses["intake"], staffing=addresses["staffing"], site=site, tokens=tokens)
            await stack.enter_async_context(desk)
            people: frozenset[str] = frozenset()
            while not people:  # the demonstration data comes after the services
                with contextlib.suppress(KefuError, OSError):
                    people = frozenset(person for person in await desk.people() if person.endswith(f"-{site}"))
                await asyncio.sleep(STEP_SECONDS)
            profile = in_force.versions(site)[-1].profile
            self._sites.append(Site(profile, desk, people, random.Random(self._seed)))  # noqa: S311 - no secret


def _presence(*, on: bool) -> Presence.State.ValueType:
    return Presence.STATE_AVAILABLE if on else Presence.STATE_OFFLINE


async def _tried(work: Awaitable[None]) -> bool:
    try:
        await work
    except (KefuError, OSError) as error:
        # people in the console take and close simulated conversations too: then ours comes too late
        _log.info("a simulated step failed: %s", error if isinstance(error, KefuError) else type(error).__name__)
        return False
    return True


def main() -> None:
    """Run as `python -m services.simulate.live`; settings from KEFU_* variables."""
    import os
    import signal
    import time

    from services.kit.config import load
    from services.kit.telemetry import logs

    config = load(LiveConfig, os.environ)
    logs.configure("simulator")

    async def run() -> None:
        gateway = Gateway(config.public_url, config.client_id, config.client_secret)
        task = asyncio.create_task(Live(config, gateway).run(time.monotonic))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())


if __name__ == "__main__":
    main()
