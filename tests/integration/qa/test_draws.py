"""Draws of the running service: committed to, frozen, drawn, published, replaced; and run again by the verifier."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from kefu.qa.v1 import draw_service_pb2 as api

from services.kit.db import Database
from services.kit.errors import Aborted, FailedPrecondition, PermissionDenied
from services.policy.desk import SiteProfiles
from services.policy.profile import Profile
from services.qa import verify_draw
from services.qa.commands.draws import Prepared
from services.qa.domain import weeks
from services.qa.store import conversations, members
from tests.integration.qa.conftest import LIVE, SITE, Qa

SERVICES = ("qa",)
NOW = datetime(2026, 11, 11, 4, tzinfo=UTC)


class Weeks:
    """A site whose weeks pass: commitments, recordings and draws at instants of the test's choice."""

    def __init__(self, qa: Qa, database: Database, profile: Profile) -> None:
        self.qa = qa
        self.profile = profile
        self._database = database
        self._numbers = 0

    async def commit(self, at: datetime) -> None:
        """The hourly job's first half at an instant."""
        async with self._database.transaction(sites=[self.profile.site]) as tx:
            tx.now = at
            await self.qa.parts.draws.commit(tx, self.profile)

    async def record(
        self,
        person: str,
        ended_at: datetime,
        *,
        known_at: datetime | None = None,
        channel: str = "WEB",
        rating: int = 0,
    ) -> str:
        """A recording of somebody's service; returns its id."""
        self._numbers += 1
        async with self._database.transaction(sites=[self.profile.site]) as tx:
            tx.now = known_at or ended_at + timedelta(minutes=1)
            subject = f"sites/{self.profile.site}/conversations/c{self._numbers}"
            await conversations.moved(
                tx, self.profile.site, subject, channel=channel, queue="Q", customer="c", at=ended_at
            )
            if rating:
                await conversations.sign(tx, self.profile.site, subject, "rating", rating)
            made = await self.qa.parts.recordings.register(
                tx,
                self.profile.site,
                kind="TRANSCRIPT",
                subject=subject,
                person=person,
                channel=channel,
                started_at=ended_at - timedelta(minutes=5),
                ended_at=ended_at,
                actor="intake",
            )
            return made.id

    async def people(self, **active: bool) -> None:
        """Who works here."""
        async with self._database.transaction(sites=[self.profile.site]) as tx:
            for person, works in active.items():
                await conversations.put_person(tx, self.profile.site, person, active=works, version=self._numbers + 1)
        self._numbers += 1

    async def team(self, person: str, team: str) -> None:
        """Whose team somebody is in."""
        async with self._database.transaction(sites=[self.profile.site]) as tx:
            await members.put(tx, self.profile.site, members.Member(person, team, reviewer=False))

    async def draw(self, now: datetime) -> str | None:
        """The hourly job's second half."""
        return await self.qa.parts.draws.week(self.profile, now)

    async def samples(self, draw: str) -> list[api.Sample]:
        """What was drawn."""
        name = f"sites/{self.profile.site}/draws/{draw}"
        reply = await self.qa.draws().ListSamples(api.ListSamplesRequest(parent=name, page_size=500))
        return list(reply.samples)

    async def get(self, draw: str) -> api.Draw:
        """The draw."""
        found: api.Draw = await self.qa.draws().GetDraw(
            api.GetDrawRequest(name=f"sites/{self.profile.site}/draws/{draw}")
        )
        return found

    async def verified(self, draw: str, folder: Path) -> tuple[str, dict[str, Any]]:
        """What the verifier says of the published record and the downloaded frame, and the record."""
        name = f"sites/{self.profile.site}/draws/{draw}"
        stub = self.qa.draws("anybody", "agent")
        told = json.loads((await stub.GetDrawRecord(api.GetDrawRecordRequest(name=name))).content)
        frame = folder / "frame"
        with frame.open("wb") as file:
            while True:
                piece = await stub.ReadFrame(api.ReadFrameRequest(name=name, offset=file.tell()))
                file.write(piece.piece)
                if file.tell() == piece.size_bytes:
                    break
        return verify_draw.verify(told, str(frame)), told


@pytest_asyncio.fixture(loop_scope="session")
async def site(qa: Qa, database: Database, profiles: SiteProfiles) -> Weeks:
    """The online desk, with nothing recorded yet."""
    for table in (
        "reviews",
        "rubrics",
        "samples",
        "draws",
        "commitments",
        "recordings",
        "conversations",
        "people",
        "members",
    ):
        await database.execute(f"DELETE FROM {table}")
    return Weeks(qa, database, profiles.at(SITE, NOW))


@pytest.fixture
def week(site: Weeks) -> tuple[datetime, datetime]:
    """Begin and end of the week after `NOW`."""
    first = weeks.monday(NOW, site.profile.timezone) + timedelta(days=7)
    return weeks.bounds(first, site.profile.timezone)


@pytest.mark.clause("ONLINE-4.2.2-1")
async def test_a_week_is_drawn_with_the_seed_that_was_promised_before_it(
    site: Weeks, week: tuple[datetime, datetime], tmp_path: Path
) -> None:
    start, end = week
    await site.commit(NOW)
    listing = await site.qa.draws().ListCommitments(api.ListCommitmentsRequest(parent=f"sites/{SITE}"))
    promised = {one.key: one for one in listing.commitments}
    assert set(promised) == {"week-2026-11-16", "week-2026-11-23", "spot-1"}
    for number in range(60):
        person, channel = f"p{number % 4}", "WEB" if number % 3 else "PHONE"
        await site.record(person, start + timedelta(hours=2 * number + 1), channel=channel)
    assert await site.draw(end) is None, "what was just registered may still be on its way"
    made = await site.draw(end + timedelta(hours=1))
    assert made == "week-2026-11-16"
    assert await site.draw(end + timedelta(hours=2)) is None, "each week is drawn once"
    samples = await site.samples(made)
    assert len(samples) == 5
    assert {one.kind for one in samples} == {"RANDOM"}
    assert {one.probability for one in samples} == {5 / 60}
    assert len({one.person for one in samples}) >= 3, "spread over people"
    said, told = await site.verified(made, tmp_path)
    assert said.startswith("agrees: 5 of 60 recordings"), said
    assert told["commitment"] == promised[made].commitment
    assert told["committed_at"] < told["frozen_after"]


async def test_a_week_that_began_before_its_promise_is_not_drawn(site: Weeks, week: tuple[datetime, datetime]) -> None:
    start, end = week
    await site.commit(start + timedelta(hours=1))
    await site.record("p1", start + timedelta(hours=5))
    assert await site.draw(end + timedelta(hours=1)) is None


async def test_a_team_with_too_little_gives_all_and_the_shortfall_is_published(
    site: Weeks, week: tuple[datetime, datetime], tmp_path: Path
) -> None:
    start, end = week
    await site.commit(NOW)
    for number in range(3):
        await site.record("p1", start + timedelta(hours=number + 1))
    made = await site.draw(end + timedelta(hours=1))
    assert made
    (unit,) = (await site.get(made)).units
    assert (unit.size, unit.wanted, unit.drawn, unit.shortfall, unit.cause) == (3, 5, 3, 2, "FEW_RECORDINGS")
    assert (await site.verified(made, tmp_path))[0].count("shortfall 2")


async def test_a_late_recording_is_in_the_next_frame_and_in_no_other(
    site: Weeks, week: tuple[datetime, datetime]
) -> None:
    start, end = week
    await site.commit(NOW)
    await site.commit(start)
    known = end + timedelta(days=2)
    on_time = await site.record("p1", start + timedelta(hours=1))
    first = await site.draw(end + timedelta(hours=1))
    late = await site.record("p2", start + timedelta(hours=2), known_at=known)
    after_the_end = await site.record("p3", end + timedelta(minutes=1), known_at=end + timedelta(minutes=2))
    second = await site.draw(end + timedelta(days=7, hours=1))
    assert first
    assert second
    drawn = [{one.recording.rpartition("/")[2] for one in await site.samples(draw)} for draw in (first, second)]
    assert drawn == [{on_time}, {late, after_the_end}]


async def test_a_purged_recording_is_in_no_frame(
    site: Weeks, week: tuple[datetime, datetime], database: Database
) -> None:
    start, end = week
    await site.commit(NOW)
    gone, stays = [await site.record("p1", start + timedelta(hours=number)) for number in (1, 2)]
    await database.execute("UPDATE recordings SET state = 'EXPIRED' WHERE recording_id = $1", gone)
    made = await site.draw(end + timedelta(hours=1))
    assert made
    assert [one.recording.rpartition("/")[2] for one in await site.samples(made)] == [stays]


async def test_each_agent_gets_their_number_and_whoever_left_owes_none(
    site: Weeks, week: tuple[datetime, datetime], tmp_path: Path
) -> None:
    start, end = week
    settings = dict(site.profile.settings) | {"sampling.scope": "AGENT", "sampling.per_week": 4}
    site.profile = with_(site.profile, settings)
    await site.people(busy=True, idle=True, gone=False)
    await site.commit(NOW)
    for number in range(20):
        await site.record("busy", start + timedelta(hours=number + 1))
    await site.record("gone", start + timedelta(hours=1))
    made = await site.draw(end + timedelta(hours=1))
    assert made
    found = {one.unit: (one.size, one.drawn, one.shortfall, one.cause) for one in (await site.get(made)).units}
    assert found == {
        "busy": (20, 4, 0, ""),
        "idle": (0, 0, 4, "NO_RECORDINGS"),
        "gone": (1, 1, 3, "LEFT"),
    }
    assert (await site.verified(made, tmp_path))[0].startswith("agrees")


async def test_each_supervisors_team_is_a_unit(site: Weeks, week: tuple[datetime, datetime]) -> None:
    start, end = week
    site.profile = with_(site.profile, dict(site.profile.settings) | {"sampling.scope": "SUPERVISOR"})
    await site.people(a=True, b=True, c=True)
    for person, team in (("a", "s1"), ("b", "s1"), ("c", "s2")):
        await site.team(person, team)
    await site.commit(NOW)
    for number in range(8):
        for person in "abc":
            await site.record(person, start + timedelta(hours=number + 1))
    made = await site.draw(end + timedelta(hours=1))
    assert made
    assert Counter(one.unit for one in await site.samples(made)) == {"s1": 5, "s2": 5}


async def test_who_has_no_team_makes_a_unit_that_owes_nothing(site: Weeks, week: tuple[datetime, datetime]) -> None:
    start, end = week
    site.profile = with_(site.profile, dict(site.profile.settings) | {"sampling.scope": "SUPERVISOR"})
    await site.people(a=True)
    await site.commit(NOW)
    await site.record("a", start + timedelta(hours=1))
    made = await site.draw(end + timedelta(hours=1))
    assert made
    assert [(one.unit, one.cause) for one in (await site.get(made)).units] == [("unassigned", "NO_TEAM")]


async def test_extras_at_risk_are_drawn_apart(site: Weeks, week: tuple[datetime, datetime], tmp_path: Path) -> None:
    start, end = week
    site.profile = with_(site.profile, dict(site.profile.settings) | {"sampling.risk_per_week": 3})
    await site.commit(NOW)
    for number in range(30):
        await site.record("p1", start + timedelta(hours=number + 1), rating=1 if number % 3 == 0 else 5)
    made = await site.draw(end + timedelta(hours=1))
    assert made
    samples = await site.samples(made)
    assert Counter(one.kind for one in samples) == {"RANDOM": 5, "RISK": 3}
    assert {one.probability for one in samples if one.kind == "RANDOM"} == {5 / 30}
    assert (await site.get(made)).extras == 3
    assert (await site.verified(made, tmp_path))[0].startswith("agrees: 8 of 30")


async def test_a_rating_just_below_the_sites_floor_is_a_sign_of_trouble(
    site: Weeks, week: tuple[datetime, datetime]
) -> None:
    start, end = week
    settings = dict(site.profile.settings) | {"sampling.risk_per_week": 1, "sampling.per_week": 1}
    assert site.profile.rating is not None
    site.profile = replace(with_(site.profile, settings), rating=replace(site.profile.rating, floor=4.2))
    await site.commit(NOW)
    for number in range(2):
        await site.record("p1", start + timedelta(hours=number + 1), rating=4)
    made = await site.draw(end + timedelta(hours=1))
    assert made
    assert (await site.get(made)).extras == 1


async def test_a_replacement_has_a_reason_follows_from_the_seed_and_is_counted(
    site: Weeks, week: tuple[datetime, datetime], tmp_path: Path
) -> None:
    start, end = week
    await site.commit(NOW)
    for number in range(7):
        await site.record("p1", start + timedelta(hours=number + 1))
    made = await site.draw(end + timedelta(hours=1))
    assert made
    drawn = [one.name for one in await site.samples(made)]
    for name in drawn[:3]:
        gone = await site.qa.draws().ReplaceSample(api.ReplaceSampleRequest(name=name, reason="NO_CONTENT"))
        assert gone.replace_reason == "NO_CONTENT"
    with pytest.raises(FailedPrecondition, match="DRAW_REFUSED"):
        await site.qa.draws().ReplaceSample(api.ReplaceSampleRequest(name=drawn[0], reason="NO_CONTENT"))
    with pytest.raises(PermissionDenied):
        await site.qa.draws("ann", "agent").ReplaceSample(api.ReplaceSampleRequest(name=drawn[4], reason="NO_CONTENT"))
    said, told = await site.verified(made, tmp_path)
    assert said.endswith("3 replaced")
    assert [one["replacement"] is None for one in told["replacements"]] == [False, False, True], "two were left"
    assert (await site.get(made)).replaced == 3


@pytest.mark.clause("LIVE-2.3.2-2")
async def test_a_spot_check_is_drawn_at_once_from_a_seed_that_was_promised_before(
    site: Weeks, profiles: SiteProfiles, tmp_path: Path, database: Database
) -> None:
    now = database.clock.now()
    site.profile = profiles.at(LIVE, now)
    for number in range(12):
        await site.record("host-1", now - timedelta(hours=number + 1), channel="LIVE")
    request = api.CreateSpotCheckRequest(parent=f"sites/{LIVE}", number=4, days=7, reason="a tip")
    draw = await site.qa.draws("director", "supervisor", LIVE).CreateSpotCheck(request)
    assert draw.kind == api.Draw.KIND_AD_HOC
    samples = await site.samples("spot-1")
    assert [one.kind for one in samples] == ["AD_HOC"] * 4
    assert (await site.verified("spot-1", tmp_path))[0].startswith("agrees: 4 of 12")
    listing = await site.qa.draws().ListCommitments(api.ListCommitmentsRequest(parent=f"sites/{LIVE}"))
    assert {one.key: bool(one.draw) for one in listing.commitments} == {"spot-1": True, "spot-2": False}
    listed = await site.qa.draws().ListDraws(api.ListDrawsRequest(parent=f"sites/{LIVE}"))
    assert (listed.spot_checks.made, listed.spot_checks.wanted) == (1, 8), "the director's own number a month"


async def test_of_two_spot_checks_at_once_one_is_told_to_repeat_and_a_failure_spends_no_seed(
    site: Weeks, profiles: SiteProfiles, database: Database
) -> None:
    now = database.clock.now()
    site.profile = profiles.at(LIVE, now)
    await site.record("host-1", now - timedelta(hours=1), channel="LIVE")
    draws = site.qa.parts.draws
    first, second = [await draws.prepare_spot_check(site.profile, number=1, days=7, person="") for _ in range(2)]

    async def keep(prepared: Prepared, *, crash: bool = False) -> str:
        async with database.transaction(sites=[LIVE]) as tx:
            made = await draws.spot_check(tx, prepared, reason="a tip", actor="director")
            if crash:
                raise RuntimeError("the power went")
            return made

    with pytest.raises(RuntimeError):
        await keep(first, crash=True)
    assert await database.fetchval("SELECT count(*) FROM draws") == 0
    assert await keep(first) == "spot-1"
    with pytest.raises(Aborted):
        await keep(second)
    again = await draws.prepare_spot_check(site.profile, number=1, days=7, person="")
    assert await keep(again) == "spot-2"


def with_(profile: Profile, settings: dict[str, object]) -> Profile:
    return replace(profile, settings=settings)
