"""What a site's profile says, in the terms of the engines: worked out once per version and kept with it."""

from __future__ import annotations

from dataclasses import dataclass

from services.intake.domain import clock, routing
from services.intake.domain.clock import Kind, PauseReason
from services.policy.profile import Profile, Queue

_NONE = clock.Rules(targets={})


class Rulebook(dict[str, clock.Rules]):
    """Promises by queue. A queue that this version of the profile no longer has makes no new ones."""

    def __missing__(self, queue: str) -> clock.Rules:
        return _NONE


@dataclass(frozen=True, slots=True)
class SiteRules:
    """A profile, with its promises and its order of service."""

    profile: Profile
    rulebook: Rulebook
    routing: routing.Rules

    @classmethod
    def of(cls, profile: Profile) -> SiteRules:
        """Work out the rules of a profile."""
        return cls(profile, rulebook(profile), routing.Rules.of(profile))


def rulebook(profile: Profile) -> Rulebook:
    """Return the clocks' rules by queue. A promise that the profile leaves out has no clock."""
    return Rulebook({name: _queue_rules(profile, queue) for name, queue in profile.queues.items()})


def _queue_rules(profile: Profile, queue: Queue) -> clock.Rules:
    sla, telephony = profile.sla, profile.telephony
    targets: dict[Kind, float | None] = {
        Kind.GREETING: sla.greeting_s,
        Kind.FIRST_RESPONSE: queue.first_response_s,
        Kind.REPLY_GAP: sla.reply_gap_s,
        Kind.HANDOFF: sla.handoff_s,
        Kind.RINGS: telephony.answer_within_s if telephony else None,
        Kind.VERIFICATION_CALLBACK: sla.verification_callback_s,
        Kind.HARASSMENT: sla.harassment_supervisor_s,
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
