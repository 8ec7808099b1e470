"""What a site's profile says about quality, as this service reads it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, cast

from services.policy.profile import Profile
from services.qa.domain.review import Limits
from services.qa.domain.rubric import Scale

# Where a profile says nothing of marks, they are those of the one regime that speaks of them (ONLINE-4.2.2-2).
SCALE: Final = Scale(1, 10)
DISPUTES: Final = 1


def scale(profile: Profile) -> Scale:
    """Marks of reviews."""
    given = cast("Mapping[str, int] | None", profile.setting("review.scale"))
    return SCALE if given is None else Scale(given["min"], given["max"])


def limits(profile: Profile) -> Limits:
    """Limits of reviews; one's own team is reviewed by others unless the profile lets it."""
    return Limits(
        own_team=bool(profile.setting("review.own_team")),
        due=days(profile, "review.due_d"),
        dispute_window=days(profile, "review.dispute_window_d"),
        disputes_max=_int(profile, "review.disputes_max", DISPUTES),
    )


def days(profile: Profile, key: str) -> timedelta | None:
    """A setting in days; None where the profile says nothing."""
    given = profile.setting(key)
    return None if given is None else timedelta(days=cast(int, given))


def _int(profile: Profile, key: str, default: int) -> int:
    given: Any = profile.setting(key)
    return default if given is None else int(given)
