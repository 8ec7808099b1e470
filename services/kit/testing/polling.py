"""Waiting in tests: poll a condition with a bound, never sleep and hope."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


async def eventually(answer: Callable[[], object | Awaitable[object]], seconds: float = 15.0) -> None:
    """Ask `answer()` (plain or async) again and again until it is true; AssertionError after `seconds`."""
    limit = time.monotonic() + seconds
    while True:
        given = answer()
        if inspect.isawaitable(given):
            given = await given
        if given:
            return
        assert time.monotonic() < limit, f"did not come true within {seconds:g} s: {answer}"
        await asyncio.sleep(0.01)
