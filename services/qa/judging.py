"""What qa judges by and with: reviews, scorecards, appraisals, and what follows from them, put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from kefu.qa.v1 import (
    appraisal_service_pb2_grpc,
    bonus_service_pb2_grpc,
    calibration_service_pb2_grpc,
    matter_service_pb2_grpc,
    review_service_pb2_grpc,
    scorecard_service_pb2_grpc,
)

from services.kit.crypto import Vault
from services.kit.db import Database, Transaction
from services.kit.inbox import Handler
from services.kit.schedules import Schedule
from services.kit.timers import Timer
from services.policy.desk import Desk, SiteProfiles
from services.qa.commands import collect, neighbours, reviews
from services.qa.commands.appraisals import Appraisals
from services.qa.commands.bonuses import Bonuses
from services.qa.commands.calibrations import Calibrations
from services.qa.commands.collect import Collector
from services.qa.commands.matters import Matters
from services.qa.commands.reviews import Reviews
from services.qa.commands.rubrics import Rubrics
from services.qa.commands.scorecards import Scorecards
from services.qa.metrics import QaMetrics
from services.qa.nightly import Nightly
from services.qa.servicer.appraisals import AppraisalServicer
from services.qa.servicer.bonuses import BonusServicer
from services.qa.servicer.calibrations import CalibrationServicer
from services.qa.servicer.matters import MatterServicer
from services.qa.servicer.reviews import ReviewServicer
from services.qa.servicer.scorecards import ScorecardServicer


class Judging:
    """Commands of one database, and the ways in to them."""

    def __init__(self, database: Database, vault: Vault, profiles: SiteProfiles, metrics: QaMetrics) -> None:
        self._database = database
        self._profiles = profiles
        self.rubrics = Rubrics(profiles, database.new_id)
        self.reviews = Reviews(profiles, database.new_id, metrics.reviewed)
        self.collector = Collector(profiles)
        self.scorecards = Scorecards(profiles)
        self.calibrations = Calibrations(profiles, database.new_id)
        self.bonuses = Bonuses(profiles)
        self.matters = Matters(profiles, database.new_id)
        self.appraisals = Appraisals(profiles, self.scorecards, self.matters, vault, database.new_id)

    def servicers(self, desk: Desk) -> list[tuple[Callable[[Any, Any], None], object]]:
        """Services with the functions that add them to a server."""
        return [
            (
                review_service_pb2_grpc.add_ReviewServiceServicer_to_server,
                ReviewServicer(desk, self.rubrics, self.reviews),
            ),
            (
                scorecard_service_pb2_grpc.add_ScorecardServiceServicer_to_server,
                ScorecardServicer(desk, self.scorecards),
            ),
            (
                appraisal_service_pb2_grpc.add_AppraisalServiceServicer_to_server,
                AppraisalServicer(desk, self.appraisals),
            ),
            (
                calibration_service_pb2_grpc.add_CalibrationServiceServicer_to_server,
                CalibrationServicer(desk, self.calibrations),
            ),
            (bonus_service_pb2_grpc.add_BonusServiceServicer_to_server, BonusServicer(desk, self.bonuses)),
            (matter_service_pb2_grpc.add_MatterServiceServicer_to_server, MatterServicer(desk, self.matters)),
        ]

    def listens(self) -> list[tuple[str, Sequence[str], Handler]]:
        """What is heard of: consumer, subjects, handler."""
        return [
            (collect.CONVERSATIONS, neighbours.CONVERSATIONS_SUBJECTS, self.collector.conversation),
            (collect.PEOPLE, neighbours.PEOPLE_SUBJECTS, self.collector.person),
        ]

    @property
    def timers(self) -> Mapping[str, Callable[[list[Timer], Transaction], Awaitable[None]]]:
        """Who hears of which deadlines."""
        return {reviews.OWNER_KIND: self.reviews.due}

    @property
    def schedules(self) -> list[Schedule]:
        """Recurring jobs."""
        return Nightly(self._database, self._profiles, self.scorecards, self.appraisals).schedules
