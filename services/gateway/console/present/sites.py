"""A site's profile as pages need it."""

from __future__ import annotations

from collections.abc import Mapping

from kefu.policy.v1 import profile_pb2, service_pb2
from kefu.policy.v1.profile_pb2 import SiteProfile, Text

from services.gateway.console.views import Option, Site


def site(profile: SiteProfile, language: str) -> Site:
    """The view of a profile in one language."""
    rating = profile.rating.scale_and_floor
    return Site(
        id=profile.site,
        label=words(profile.display_name, language),
        timezone=profile.timezone,
        queues=[Option(queue.id, words(queue.display_name, language)) for queue in profile.queues],
        channels=[Option(channel.id, words(channel.display_name, language)) for channel in profile.channels],
        tiers=_tiers(profile, language),
        regimes=[
            profile_pb2.Regime.Name(regime).removeprefix("REGIME_").replace("_", "-") for regime in profile.regimes
        ],
        rating_max=rating.max or 5,
        closing_steps=frozenset(
            service_pb2.ClosingStep.Name(step).removeprefix("CLOSING_STEP_") for step in profile.closing.required
        ),
        reception_steps=frozenset(
            service_pb2.ReceptionStep.Name(step).removeprefix("RECEPTION_STEP_") for step in profile.reception.required
        ),
    )


def words(text: Text, language: str) -> str:
    """The words of a bilingual text."""
    return text.zh if language == "zh_CN" else text.en


def web_queues(profile: SiteProfile, language: str) -> list[Option]:
    """What a visitor of the chat page may ask about: the queue of web chat first, then those of the same kind."""
    default = next((channel.default_queue for channel in profile.channels if channel.id == "WEB"), "")
    kinds = {queue.id: queue.kind for queue in profile.queues}
    offered = [queue for queue in profile.queues if queue.kind == kinds.get(default)]
    offered.sort(key=lambda queue: queue.id != default)
    return [Option(queue.id, words(queue.display_name, language)) for queue in offered]


def _tiers(profile: SiteProfile, language: str) -> Mapping[str, str]:
    # Everybody starts in the default tier: showing it would only be noise.
    return {
        tier.id: (tier.name_zh if language == "zh_CN" else tier.name_en) or tier.id for tier in profile.routing.tiers
    }
