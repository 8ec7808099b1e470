"""The RPC edge of calibrations."""

from __future__ import annotations

from kefu.qa.v1 import calibration_service_pb2 as api
from kefu.qa.v1 import calibration_service_pb2_grpc as api_grpc

from services.kit.call import current
from services.kit.db import Transaction
from services.kit.instants import stamp
from services.policy.desk import Desk
from services.policy.profile import Profile
from services.qa.commands.calibrations import Calibrations, reaches
from services.qa.servicer.names import CALIBRATION, SITE, Context, ids_of_site, recording_ids, uuid_ids
from services.qa.store import calibrations as store
from services.qa.store.calibrations import Calibration


class CalibrationServicer(api_grpc.CalibrationServiceServicer):
    """kefu.qa.v1.CalibrationService."""

    def __init__(self, desk: Desk, commands: Calibrations) -> None:
        self._desk = desk
        self._commands = commands

    async def CreateCalibration(self, request: api.CreateCalibrationRequest, context: Context) -> api.Calibration:
        """Open a session."""
        (site,) = SITE.parse(request.parent, "parent")
        ids, reviewers = ids_of_site(site, request.recordings), list(request.reviewers)

        async def run(tx: Transaction, actor: str) -> api.Calibration:
            made = await self._commands.open(tx, site, request.series, ids, reviewers, actor=actor)
            return _calibration_to(made, self._desk.profile(site))

        return await self._desk.write(site, run, api.Calibration)

    async def GetCalibration(self, request: api.GetCalibrationRequest, context: Context) -> api.Calibration:
        """A session with the marks that the caller may see."""
        site, id_ = uuid_ids(CALIBRATION, request.name)
        caller = current().principal.subject
        async with self._desk.read(site) as tx:
            found = await store.get(tx, site, id_)
            marks = await store.marks(tx, found)
        made = _calibration_to(found, self._desk.profile(site))
        for recording, given in sorted(marks.items()):
            for reviewer, mark in sorted(given.items()):
                if found.state == "CLOSED" or reviewer == caller:
                    name = f"sites/{site}/recordings/{recording}"
                    made.marks.add(recording=name, reviewer=reviewer, mark=mark)
        return made

    async def MarkCalibration(self, request: api.MarkCalibrationRequest, context: Context) -> api.Calibration:
        """A reviewer's mark."""
        site, id_ = uuid_ids(CALIBRATION, request.name)
        _, recording = recording_ids(request.recording, "recording")

        async def run(tx: Transaction, actor: str) -> api.Calibration:
            one = await self._commands.mark(tx, site, id_, recording, request.mark, actor=actor)
            return _calibration_to(one, self._desk.profile(site))

        return await self._desk.write(site, run, api.Calibration)

    async def CloseCalibration(self, request: api.CloseCalibrationRequest, context: Context) -> api.Calibration:
        """Close it."""
        site, id_ = uuid_ids(CALIBRATION, request.name)

        async def run(tx: Transaction, actor: str) -> api.Calibration:
            one = await self._commands.close(tx, site, id_, actor=actor)
            return _calibration_to(one, self._desk.profile(site))

        return await self._desk.write(site, run, api.Calibration)


def _calibration_to(one: Calibration, profile: Profile) -> api.Calibration:
    return api.Calibration(
        name=one.name,
        series=one.series,
        state=api.Calibration.State.Value(f"STATE_{one.state}"),
        recordings=[f"sites/{one.site}/recordings/{id_}" for id_ in one.recordings],
        reviewers=one.reviewers,
        alpha=one.alpha,
        low=one.low,
        high=one.high,
        severities={who: how["difference"] for who, how in one.severities.items()},
        feeds_pay=reaches(one, profile),
        create_time=stamp(one.opened_at),
        close_time=stamp(one.closed_at),
    )
