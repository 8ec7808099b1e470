"""What a site's profile says about customers, as this service reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from fractions import Fraction
from functools import wraps
from typing import Any, Final, TypeVar, cast

from services.crm.domain import campaign
from services.crm.domain.guard import Cap, Quiet
from services.crm.domain.occasions import LeapDay
from services.crm.domain.orders import Rates
from services.crm.domain.tiers import Bar, Rules
from services.policy.profile import Profile

T = TypeVar("T")
VERSIONS: Final = 256


@dataclass(frozen=True, slots=True)
class PointsRule:
    """Points for a yuan, and the life of a point."""

    per_yuan: Fraction
    pending: timedelta
    expires: timedelta

    def of(self, net_fen: int) -> int:
        """Points for what an order came to, fen; none for one that was sent back."""
        return int(max(0, net_fen) * self.per_yuan / 100)


def per_version(read: Callable[[Profile], T]) -> Callable[[Profile], T]:
    """A rule that is worked out once for each version of a profile: a purchase asks for several."""
    known: dict[str, T] = {}

    @wraps(read)
    def rule(profile: Profile) -> T:
        if profile.version not in known:
            if len(known) >= VERSIONS:
                known.clear()
            known[profile.version] = read(profile)
        return known[profile.version]

    return rule


@per_version
def tier_rules(profile: Profile) -> Rules:
    """Bars, windows, tolerance and grace."""
    bars = cast(Sequence[Mapping[str, Any]], profile.setting("crm.tier_thresholds") or ())
    windows = tuple(dict.fromkeys(str(bar["window"]) for bar in bars))
    keeping = cast(Mapping[str, Any], profile.setting("crm.tier_keeping") or {})
    return Rules(
        bars=tuple(
            Bar(
                tier=bar["tier"],
                window=windows.index(bar["window"]),
                spend_fen=round(float(bar["min_spend_yuan"]) * 100),
                orders=int(bar["min_orders"]),
                active_days=int(bar["min_active_d"]),
                max_recency=bar.get("max_recency_d"),
                top_share=bar.get("top_spend_share"),
            )
            for bar in bars
        ),
        windows=windows,
        default=profile.routing.default_tier or "ORDINARY",
        tolerance=float(keeping.get("tolerance", 0.0)),
        grace=timedelta(days=int(keeping.get("grace_d", 0))),
    )


def discount_limit(profile: Profile, tier: str) -> float:
    """Percent that may be given to a tier without asking; 0 where the profile says nothing."""
    keeping = cast(Mapping[str, Any], profile.setting("crm.tier_keeping") or {})
    return float(keeping.get("discount_limits", {}).get(tier, 0.0))


@per_version
def points_rule(profile: Profile) -> PointsRule | None:
    """None where purchases earn no points."""
    rule = cast("Mapping[str, Any] | None", profile.setting("crm.points"))
    if rule is None:
        return None
    return PointsRule(
        Fraction(str(rule["per_yuan"])),
        timedelta(days=int(rule["pending_d"])),
        timedelta(days=int(rule["expires_d"])),
    )


@per_version
def rates(profile: Profile) -> Rates:
    """Yuan by currency."""
    given = cast(Mapping[str, float], profile.setting("crm.currencies") or {})
    return {"CNY": Fraction(1)} | {code: Fraction(str(rate)) for code, rate in given.items()}


def high_value(profile: Profile) -> tuple[int, str] | None:
    """Least spending, fen, and the window in which it counts, of a high-value customer; None without such a rule."""
    rule = cast("Mapping[str, Any] | None", profile.setting("crm.high_value_rule"))
    return None if rule is None else (round(float(rule["min_spend_yuan"]) * 100), str(rule["window"]))


def churn_days(profile: Profile) -> int | None:
    """Days of silence after which a customer counts as lost; None where the profile says nothing."""
    days = profile.setting("crm.churn_inactivity_d")
    return None if days is None else int(cast(int, days))


def verify_interval(profile: Profile) -> str | None:
    """Between verifications of a file; None where the profile asks for none."""
    return cast("str | None", profile.setting("crm.profile_verify_interval"))


def contact_rules(profile: Profile) -> campaign.Rules:
    """Under which hours, how often, and how recurring campaigns come round."""
    given = cast(Mapping[str, Any], profile.setting("crm.contact_rules") or {})
    quiet, cap = given.get("quiet_hours"), given.get("frequency_cap")
    intervals = {
        kind: profile.setting(key)
        for kind, key in (("NEW_PRODUCT", "crm.new_product_interval"), ("SURVEY", "crm.survey_interval"))
    }
    return campaign.Rules(
        zone=profile.timezone,
        quiet=Quiet(_time(quiet["start"]), _time(quiet["end"]), profile.timezone) if quiet else None,
        cap=Cap(int(cap["messages"]), timedelta(days=int(cap["days"]))) if cap else None,
        leap_day=LeapDay.MAR_1 if given.get("leap_day_in_march") else LeapDay.FEB_28,
        intervals={kind: str(interval) for kind, interval in intervals.items() if interval is not None},
    )


@dataclass(frozen=True, slots=True)
class WinBackRule:
    """How lost customers are won back: the share left in peace, contacts at most, and the time after which it ends."""

    holdout_share: float
    max_contacts: int
    window: timedelta


def win_back_rule(profile: Profile) -> WinBackRule | None:
    """None where the profile lets nobody be pursued."""
    given = cast("Mapping[str, Any] | None", profile.setting("crm.win_back"))
    if given is None:
        return None
    days = timedelta(days=int(given["window_d"]))
    return WinBackRule(float(given["holdout_share"]), int(given["max_contacts"]), days)


def contact_interval(profile: Profile) -> str | None:
    """ISO 8601 period between contacts with an old customer; None where the profile asks for none."""
    return cast("str | None", profile.setting("crm.old_customer_contact_interval"))


def _time(text: str) -> time:
    return time.fromisoformat(text)
