"""What a site's profile promises, in the terms of the engines: built once per profile version and kept with it."""

from __future__ import annotations

from services.intake.domain import clock, routing
from services.intake.domain.clock import Kind, PauseReason
from services.policy.profile import Profile, Queue


def rulebook(profile: Profile) -> dict[str, clock.Rules]:
    """Return the clocks' rules by queue. A promise that the profile leaves out has no clock."""
    return {name: _queue_rules(profile, queue) for name, queue in profile.queues.items()}


def routing_rules(profile: Profile) -> routing.Rules:
    """Return the order of service. For a queue without a first-response promise the site's longest one stands in."""
    promised = [queue.first_response_s for queue in profile.queues.values() if queue.first_response_s]
    rules = routing.Rules(
        tier_weights=dict(profile.routing.tier_weights), ceiling_fraction=profile.routing.ceiling_fraction
    )
    return routing.Rules(rules.tier_weights, rules.ceiling_fraction, max(promised)) if promised else rules


def _queue_rules(profile: Profile, queue: Queue) -> clock.Rules:
    sla, telephony = profile.sla, profile.telephony
    targets: dict[Kind, float | None] = {
        Kind.GREETING: sla.greeting_s,
        Kind.FIRST_RESPONSE: queue.first_response_s,
        Kind.REPLY_GAP: sla.reply_gap_s,
        Kind.HANDOFF: sla.handoff_s,
        Kind.RINGS: telephony.answer_within_s if telephony else None,
        Kind.VERIFICATION_CALLBACK: sla.verification_callback_s,
    }
    return clock.Rules(
        targets={kind: float(target) for kind, target in targets.items() if target},
        warn_fractions=sla.warn_fractions,
        pauses=frozenset(
            (kind, reason) for kind in Kind for reason in PauseReason if sla.may_pause(kind.value, reason.value)
        ),
        bot_answer_stops=sla.bot_reply_stops_clock,
        calendar=None if queue.calendar.always_open else queue.calendar,
        max_rings=sla.answer_max_rings or 0,
    )
