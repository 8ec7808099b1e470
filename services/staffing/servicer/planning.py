"""The RPC edge of planning: questions about staff, answered by pure maths off the event loop."""

from __future__ import annotations

import asyncio
from typing import Any

from kefu.staffing.v1 import planning_service_pb2 as api
from kefu.staffing.v1 import planning_service_pb2_grpc as api_grpc

from services.kit.resource_names import ResourceName
from services.staffing.queries import Zones

SITE = ResourceName("sites/{site}")

Context = Any


class PlanningServicer(api_grpc.PlanningServiceServicer):
    """kefu.staffing.v1.PlanningService."""

    def __init__(self, zones: Zones) -> None:
        self._zones = zones

    async def SizeStaff(self, request: api.SizeStaffRequest, context: Context) -> api.SizeStaffResponse:
        """People for a promise, or what people achieve."""
        # NumPy and SciPy are a third of the process; they come with the first question.
        from services.staffing.planning import size_staff

        (site,) = SITE.parse(request.parent, "parent")
        self._zones(site)  # refuses a site without a profile
        return await asyncio.to_thread(size_staff, request)
