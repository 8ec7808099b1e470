"""kefu.common.v1.ClockService for every service that runs timers."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from kefu.common.v1 import clock_service_pb2, clock_service_pb2_grpc

from services.kit.timers.virtual import VirtualTime


class ClockServicer(clock_service_pb2_grpc.ClockServiceServicer):
    """Serves AdvanceClock; refused in any stack that is not in virtual time."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time

    async def AdvanceClock(
        self,
        request: clock_service_pb2.AdvanceClockRequest,
        context: Any,
    ) -> clock_service_pb2.AdvanceClockResponse:
        """Move the clock to `request.to`."""
        now, fired = await self._time.advance(request.to.ToDatetime(UTC))
        response = clock_service_pb2.AdvanceClockResponse(timers_fired=fired)
        response.now.FromDatetime(now)
        return response
