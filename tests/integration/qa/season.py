"""A season of appraisals and what follows, through the public interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from kefu.qa.v1 import appraisal_service_pb2 as api
from kefu.qa.v1 import calibration_service_pb2 as calibration_api
from kefu.qa.v1 import matter_service_pb2 as matters_api
from kefu.qa.v1.appraisal_service_pb2_grpc import AppraisalServiceStub
from kefu.qa.v1.bonus_service_pb2_grpc import BonusServiceStub
from kefu.qa.v1.calibration_service_pb2_grpc import CalibrationServiceStub
from kefu.qa.v1.matter_service_pb2_grpc import MatterServiceStub
from kefu.qa.v1.recording_service_pb2_grpc import RecordingServiceStub
from kefu.qa.v1.review_service_pb2_grpc import ReviewServiceStub

from services.kit.client import ClientChannel, Target
from services.kit.db import Database
from tests.integration.qa.test_app import Whole
from tests.integration.qa.working import Works

Matter = matters_api.Matter
Calibration = calibration_api.Calibration


class Season:
    """One site's appraisals and matters, by people of different roles."""

    def __init__(self, whole: Whole, works: Works) -> None:
        self._whole = whole
        self.works = works
        self.parent = works.parent
        self._channels: dict[tuple[str, str], ClientChannel] = {}

    def _channel(self, who: str, role: str) -> ClientChannel:
        if (who, role) not in self._channels:
            token = self._whole.keys.token(who, sites={self.works.site: [role]})
            self._channels[who, role] = ClientChannel(Target(f"ipv4:{self._whole.address}"), token=lambda: token)
        return self._channels[who, role]

    @property
    def database(self) -> Database:
        return self._whole.database

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()

    def reviews(self, who: str = "boss", role: str = "manager", _site: str = "") -> Any:
        return ReviewServiceStub(self._channel(who, role))

    def recordings(self, who: str = "boss", role: str = "admin", _site: str = "") -> Any:
        return RecordingServiceStub(self._channel(who, role))

    def appraisals(self, who: str = "boss", role: str = "manager") -> Any:
        return AppraisalServiceStub(self._channel(who, role))

    def matters(self, who: str = "boss", role: str = "manager") -> Any:
        return MatterServiceStub(self._channel(who, role))

    def calibrations(self, who: str = "boss", role: str = "manager") -> Any:
        return CalibrationServiceStub(self._channel(who, role))

    def bonuses(self, who: str = "boss", role: str = "manager") -> Any:
        return BonusServiceStub(self._channel(who, role))

    async def calibrated(self, recordings: Sequence[str], marks: Mapping[str, Sequence[int]]) -> Calibration:
        """A session: reviewer → marks of the recordings in order; closed."""
        request = calibration_api.CreateCalibrationRequest(
            parent=self.parent, series="conversations", recordings=recordings, reviewers=sorted(marks)
        )
        opened: Calibration = await self.calibrations().CreateCalibration(request)
        for reviewer, given in marks.items():
            for recording, mark in zip(recordings, given, strict=True):
                marked = calibration_api.MarkCalibrationRequest(name=opened.name, recording=recording, mark=mark)
                await self.calibrations(reviewer, "reviewer").MarkCalibration(marked)
        close = calibration_api.CloseCalibrationRequest(name=opened.name)
        closed: Calibration = await self.calibrations().CloseCalibration(close)
        return closed

    async def open(self, period: str) -> dict[str, api.Appraisal]:
        """Everybody's appraisal of a period."""
        reply = await self.appraisals().OpenAppraisals(api.OpenAppraisalsRequest(parent=self.parent, period=period))
        return {one.person: one for one in reply.appraisals}

    async def rate(self, one: api.Appraisal, **marks: int) -> api.Appraisal:
        request = api.RateAppraisalRequest(name=one.name, marks=marks, comment="seen daily")
        rated: api.Appraisal = await self.appraisals("sup", "supervisor").RateAppraisal(request)
        return rated

    async def finalise(self, one: api.Appraisal) -> api.Appraisal:
        done: api.Appraisal = await self.appraisals().FinaliseAppraisal(api.FinaliseAppraisalRequest(name=one.name))
        return done

    async def publish(self, one: api.Appraisal) -> api.Appraisal:
        shown: api.Appraisal = await self.appraisals().PublishAppraisal(api.PublishAppraisalRequest(name=one.name))
        return shown

    async def acknowledge(self, one: api.Appraisal) -> api.Appraisal:
        request = api.AcknowledgeAppraisalRequest(name=one.name)
        read: api.Appraisal = await self.appraisals(one.person, "agent").AcknowledgeAppraisal(request)
        return read

    async def finish(self, one: api.Appraisal, *misses: str, outcome: str = "", minutes: str = "") -> api.Appraisal:
        """Close with a plan for each of these misses."""
        request = api.CloseAppraisalRequest(name=one.name, outcome=outcome, minutes=minutes)
        for miss in misses:
            due = Timestamp(seconds=4_000_000_000)
            request.plans.add(miss=miss, action="practise", owner=one.person, due_time=due)
        closed: api.Appraisal = await self.appraisals().CloseAppraisal(request)
        return closed

    async def matter(
        self, kind: Any, code: str, person: str = "ann", *, by: str = "sup", role: str = "supervisor", **more: Any
    ) -> Matter:
        request = matters_api.CreateMatterRequest(
            parent=self.parent, kind=kind, code=code, person=person, title="seen", **more
        )
        made: Matter = await self.matters(by, role).CreateMatter(request)
        return made

    async def step(
        self, matter: Matter, step: str, *, by: str = "boss", role: str = "manager", note: str = ""
    ) -> Matter:
        request = matters_api.StepMatterRequest(name=matter.name, step=step, note=note)
        after: Matter = await self.matters(by, role).StepMatter(request)
        return after

    async def listed(self, kind: Any, person: str = "") -> list[Matter]:
        request = matters_api.ListMattersRequest(parent=self.parent, kind=kind, person=person)
        return list((await self.matters().ListMatters(request)).matters)
