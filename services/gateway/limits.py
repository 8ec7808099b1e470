"""Rate limits of one process: token buckets by key, for sign-in and token routes."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from services.kit.errors import ResourceExhausted


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimit:
    """`burst` at once, then `per_second`, for each key; at most `keys` keys are remembered, the oldest goes first."""

    def __init__(
        self, *, burst: int, per_second: float, keys: int = 10_000, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._per_second = per_second
        self._keys = keys
        self._now = now
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> None:
        """Count one use; raises ResourceExhausted with `retry_after` when there were too many."""
        with self._lock:
            now = self._now()
            bucket = self._buckets.pop(key, None) or _Bucket(self._burst, now)
            bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_second)
            bucket.at = now
            self._buckets[key] = bucket
            if len(self._buckets) > self._keys:
                self._buckets.popitem(last=False)
            if bucket.left < 1:
                raise ResourceExhausted(retry_after=(1 - bucket.left) / self._per_second)
            bucket.left -= 1

    def give_back(self, key: str) -> None:
        """Forget one use: it turned out to be honest."""
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is not None:
                bucket.left = min(self._burst, bucket.left + 1)
