"""Load over the day: work carries over from one interval into the next when handling is long."""

from __future__ import annotations

import numpy as np

from services.staffing.domain.sizing.erlang import Array


def carried(arrivals: Array, handling: Array, seconds: float) -> Array:
    """Mean contacts in service by interval, for arrivals a second that are constant within an interval of `seconds`.

    The modified offered load of Eick, Massey & Whitt (1993): with endless people, contacts in service m follow
    m' = arrivals - m / handling. The last axis is time; the first interval begins as if the stream before had been like
    it. Where handling is short beside an interval this is arrivals × handling, the ordinary offered load.
    """
    steady = arrivals * handling
    left = np.exp(-seconds / handling)
    mean = np.empty_like(steady)
    held = steady[..., 0]
    for now in range(steady.shape[-1]):
        gone = held - steady[..., now]
        mean[..., now] = steady[..., now] + gone * handling[..., now] / seconds * (1 - left[..., now])
        held = steady[..., now] + gone * left[..., now]
    return mean
