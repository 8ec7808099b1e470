"""The calls of the roster pages to staffing, typed; every one on behalf of the person of the current web request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from kefu.staffing.v1 import roster_pb2
from kefu.staffing.v1 import roster_service_pb2 as api

from services.gateway.console.backend import new_id
from services.gateway.console.gate import Gate

Reply = TypeVar("Reply", bound=Message)
RECENT: Final = 20


class Rosters:
    """Calls for one site. Runs are named by the id alone."""

    def __init__(self, gate: Gate, site: str) -> None:
        self._gate = gate
        self.parent = f"sites/{site}"

    def _call(self, method: str, request: Message, reply: type[Reply]) -> Reply:
        return self._gate.call(f"kefu.staffing.v1.RosterService/{method}", request, reply)

    def runs(self, token: str = "") -> api.ListRosterRunsResponse:
        """Runs, latest first."""
        request = api.ListRosterRunsRequest(parent=self.parent, page_size=RECENT, page_token=token)
        return self._call("ListRosterRuns", request, api.ListRosterRunsResponse)

    def published(self) -> Sequence[roster_pb2.Roster]:
        """Rosters, latest first."""
        request = api.ListRostersRequest(parent=self.parent, page_size=RECENT)
        return self._call("ListRosters", request, api.ListRostersResponse).rosters

    def run(self, run: str) -> roster_pb2.RosterRun:
        """A run with its best roster so far."""
        request = api.GetRosterRunRequest(name=f"{self.parent}/rosterRuns/{run}")
        return self._call("GetRosterRun", request, roster_pb2.RosterRun)

    def create(
        self,
        run: roster_pb2.RosterRun,
        needed: Sequence[roster_pb2.Requirement],
        promise: roster_pb2.Promise,
        warm_start: str,
    ) -> roster_pb2.RosterRun:
        """Begins a search."""
        request = api.CreateRosterRunRequest(
            parent=self.parent,
            roster_run=run,
            requirements=needed,
            promise=promise,
            warm_start=f"{self.parent}/rosterRuns/{warm_start}" if warm_start else "",
            request_id=new_id(),
        )
        return self._call("CreateRosterRun", request, roster_pb2.RosterRun)

    def cancel(self, run: str) -> None:
        """Ends a search."""
        request = api.CancelRosterRunRequest(name=f"{self.parent}/rosterRuns/{run}", request_id=new_id())
        self._call("CancelRosterRun", request, roster_pb2.RosterRun)

    def publish(self, run: str, agreed: Sequence[str]) -> roster_pb2.Roster:
        """Publishes a run's roster."""
        name = f"{self.parent}/rosterRuns/{run}"
        request: Any = api.PublishRosterRequest(name=name, agreed=agreed, request_id=new_id())
        return self._call("PublishRoster", request, roster_pb2.Roster)

    def calendar(self, person: str) -> api.ExportShiftsResponse:
        """A person's shifts as an iCalendar."""
        request = api.ExportShiftsRequest(name=f"{self.parent}/people/{person}")
        return self._call("ExportShifts", request, api.ExportShiftsResponse)
