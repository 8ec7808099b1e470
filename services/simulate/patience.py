"""How long callers wait before they hang up, from a log in which most were answered first (right-censored).

Kaplan and Meier, "Nonparametric Estimation from Incomplete Observations", JASA 53 (1958), 457–481.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from services.simulate.calllog import Call

FOREVER = 10**6


@dataclass(frozen=True, slots=True)
class Patience:
    """Survival function of patience: `survival[i]` is the share that waits longer than `seconds[i]`, falling."""

    seconds: tuple[int, ...]
    survival: tuple[float, ...]

    def beyond(self, waited: int) -> float:
        """Share of callers who wait longer than `waited` seconds."""
        index = bisect_right(self.seconds, waited) - 1
        return self.survival[index] if index >= 0 else 1.0

    def draw(self, waited: int, uniform: float) -> int:
        """Patience of a caller who is known to have waited `waited` seconds without hanging up.

        `uniform` in [0, 1) is the random number. Beyond what the log knows, the caller waits for ever.
        """
        wanted = uniform * self.beyond(waited)
        # survival falls, so the first time at which it is at most `wanted`
        low, high = 0, len(self.survival)
        while low < high:
            middle = (low + high) // 2
            if self.survival[middle] <= wanted:
                high = middle
            else:
                low = middle + 1
        return max(self.seconds[low], waited + 1) if low < len(self.seconds) else FOREVER


def fit(calls: Iterable[Call]) -> Patience:
    """Kaplan–Meier over those who queued: hanging up is the event, being answered censors it."""
    observed = sorted(
        (call.wait, call.abandoned) for call in calls if call.queued and (call.abandoned or call.answered)
    )
    seconds: list[int] = []
    survival: list[float] = []
    share, at_risk, index = 1.0, len(observed), 0
    while index < len(observed):
        time = observed[index][0]
        same = index
        while same < len(observed) and observed[same][0] == time:
            same += 1
        left = sum(hung_up for _, hung_up in observed[index:same])
        if left:
            share *= 1 - left / at_risk
            seconds.append(time)
            survival.append(share)
        at_risk -= same - index
        index = same
    return Patience(tuple(seconds), tuple(survival))
