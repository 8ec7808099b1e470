"""Promises, routing, rating, bot and telephone fit together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from kefu.policy.v1 import profile_pb2, service_pb2, sla_pb2

from services.policy import schema
from services.policy.build import first_response_s
from services.policy.faults import Fault


def check(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    """Faults of the service sections."""
    yield from _first_response(message)
    yield from _warnings_and_pauses(message.sla)
    yield from _surge(message.routing)
    yield from _rating(message)
    yield from _bot(message)
    yield from _telephone(message)
    yield from _opening(message)
    emoji = message.lint.emoji_limit
    if message.lint.HasField("emoji_limit") and emoji.per_conversation < emoji.per_message:
        yield Fault("lint.emoji_limit.per_conversation", "is below per_message", f"Write {emoji.per_message} or more")


def _first_response(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    promise, path = message.sla.first_response_s, "sla.first_response_s"
    queues = {queue.id for queue in message.queues}
    kinds = {queue.kind for queue in message.queues}
    for name, known, what in (("queues", queues, "queue"), ("kinds", kinds, "kind of a queue")):
        for key in sorted(set(getattr(promise, name)) - known):
            yield Fault(
                f"{path}.{name}.{key}", f"is no {what} of this site", f"Write one of {', '.join(sorted(known))}"
            )
    bare = [queue.id for queue in message.queues if first_response_s(queue, promise) is None]
    if bare:
        yield Fault(path, f"gives no figure for {', '.join(bare)}", "Write `default:` or name the queue or its kind")


def _warnings_and_pauses(sla: sla_pb2.Sla) -> Iterator[Fault]:
    fractions = list(sla.warn_fractions)
    if any(later <= earlier for earlier, later in itertools.pairwise(fractions)):
        yield Fault("sla.warn_fractions", "do not ascend", f"Write {sorted(set(fractions))}")
    clocks: set[int] = set()
    for index, pause in enumerate(sla.pauses):
        if pause.clock in clocks:
            name = schema.short_name(sla_pb2.ClockKind.DESCRIPTOR, pause.clock)
            yield Fault(f"sla.pauses[{index}].clock", f"{name} stands twice", "Put all its reasons into one entry")
        clocks.add(pause.clock)


def _surge(routing: service_pb2.Routing) -> Iterator[Fault]:
    threshold = routing.HasField("surge_online_customers")
    if threshold != routing.HasField("surge"):
        missing = "routing.surge" if threshold else "routing.surge_online_customers"
        yield Fault(
            missing, "is missing: a surge needs threshold, operator and exit_threshold", "Write both or neither"
        )
    elif threshold and not routing.surge.HasField("exit_threshold"):
        yield Fault(
            "routing.surge.exit_threshold", "is missing", f"Write a number below {routing.surge_online_customers}"
        )
    elif threshold and routing.surge.exit_threshold >= routing.surge_online_customers:
        reason = f"is not below the threshold {routing.surge_online_customers}: the surge would flutter"
        yield Fault("routing.surge.exit_threshold", reason, "Write a smaller number")


def _rating(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    path = "rating.scale_and_floor"
    if message.rating.HasField("scale_and_floor"):
        scale = message.rating.scale_and_floor
        if scale.min >= scale.max:
            yield Fault(f"{path}.max", f"is not above min {scale.min}", "Write the best mark")
        elif scale.HasField("floor") and not scale.min <= scale.floor <= scale.max:
            yield Fault(f"{path}.floor", f"lies outside {scale.min} to {scale.max}", "Write a mean of the scale")
    review = message.review.scale
    if message.review.HasField("scale") and review.min >= review.max:
        yield Fault("review.scale.max", f"is not above min {review.min}", "Write the best mark")


def _bot(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    bot = message.bot
    if bot.service_hours_per_day and bot.mode != service_pb2.BOT_MODE_ALWAYS:
        yield Fault("bot.mode", "does not cover bot.service_hours_per_day", "Write ALWAYS, or take the hours out")
    if bot.mode == service_pb2.BOT_MODE_SURGE_ONLY and not message.routing.HasField("surge_online_customers"):
        yield Fault(
            "bot.mode",
            "is SURGE_ONLY, but the site has no surge",
            "Write routing.surge_online_customers or another mode",
        )
    if bot.mode in (service_pb2.BOT_MODE_ALWAYS, service_pb2.BOT_MODE_SURGE_ONLY) and not bot.HasField(
        "confidence_threshold"
    ):
        yield Fault(
            "bot.confidence_threshold", "is missing: below it a person takes over", "Write a number from 0 to 1"
        )


def _opening(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    opening = message.reception.opening
    if message.lint.opening_names_agent and opening and "{agent}" not in opening:
        yield Fault("reception.opening", "does not name the agent", "Write {agent} where the name belongs")


def _telephone(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    by_phone = any(channel.id == "PHONE" for channel in message.channels)
    rings = message.sla.HasField("answer_max_rings")
    if (by_phone or rings) and not message.telephony.HasField("ring_interval_s"):
        reason = "is missing: rings need it to become a deadline"
        yield Fault("telephony.ring_interval_s", reason, "Write the seconds from one ring to the next, for example 5")
