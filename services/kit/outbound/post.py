"""One signed post and what its answer means."""

from __future__ import annotations

from collections.abc import Sequence

import httpcore

from services.kit.outbound import signature
from services.kit.outbound.courier import Fate, Outcome
from services.kit.outbound.egress import Egress

_NO_ANSWER = (OSError, TimeoutError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


async def post_signed(
    egress: Egress,
    url: str,
    body: bytes,
    *,
    secrets: Sequence[str],
    message_id: str,
    timestamp: int,
    bounces: frozenset[int] = frozenset(),
) -> Outcome:
    """Post `body` as in Standard Webhooks: 2xx is delivered, a status in `bounces` final, anything else tried again."""
    try:
        status = await egress.post(url, body, signature.headers(secrets, message_id, timestamp, body))
    except (*_NO_ANSWER, httpcore.UnsupportedProtocol) as fault:
        return Outcome(Fate.FAILED, None, f"{type(fault).__name__}: {fault}")
    if 200 <= status < 300:
        return Outcome(Fate.DELIVERED, status)
    return Outcome(Fate.BOUNCED if status in bounces else Fate.FAILED, status, f"HTTP {status}")
