"""Promises, words with old customers, and winning lost ones back, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from kefu.crm.v1 import care_service_pb2 as care
from kefu.crm.v1 import points_service_pb2 as points
from kefu.crm.v1 import win_back_service_pb2 as api
from kefu.crm.v1.care_service_pb2_grpc import CareServiceStub
from kefu.crm.v1.points_service_pb2_grpc import PointsServiceStub
from kefu.crm.v1.win_back_service_pb2_grpc import WinBackServiceStub
from kefu.events.v1 import event_pb2 as events

from services.crm.commands.neighbours import Neighbours
from services.crm.domain.orders import Line
from services.crm.profiles import SiteProfiles
from services.crm.queries.export import export
from services.crm.store import erasure
from services.kit.errors import FailedPrecondition, InvalidArgument
from services.kit.testing.postgres import Databases
from tests.integration.crm.conftest import SITE
from tests.integration.crm.shop import START, Shop, line, open_shop

SERVICES = ("crm",)


@pytest_asyncio.fixture(loop_scope="session")
async def shop(databases: Databases, profiles: SiteProfiles, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(databases, profiles, tmp_path) as opened:
        yield opened


def stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


async def promise(shop: Shop, customer: str, due: timedelta, subject: str = "ann") -> care.Commitment:
    stub = CareServiceStub(shop.channel(subject, "agent"))
    made: care.Commitment = await stub.RecordCommitment(
        care.RecordCommitmentRequest(
            parent=f"{shop.parent}/customers/{customer}",
            promise="周五前寄出替换件",
            due_time=stamp(shop.database.clock.now() + due),
        )
    )
    return made


async def night(shop: Shop) -> None:
    """What the schedule does each night."""
    await shop.parts.relations.judge(shop.parts.profiles.at(SITE, shop.database.clock.now()))


async def cases(
    shop: Shop, state: api.WinBack.State.ValueType = api.WinBack.STATE_UNSPECIFIED
) -> dict[str, api.WinBack]:
    """Cases by customer."""
    request = api.ListWinBacksRequest(parent=shop.parent, state=state)
    found = await WinBackServiceStub(shop.channel("bob")).ListWinBacks(request)
    return {one.customer.rpartition("/")[2]: one for one in found.cases}


@pytest.mark.clause("TAOBAO-4-3.1.2")
async def test_a_promise_is_kept_with_a_note_or_broken_at_its_time(shop: Shop) -> None:
    await shop.people(["c1"])
    stub = CareServiceStub(shop.channel("ann", "agent"))
    kept, broken = await promise(shop, "c1", timedelta(days=2)), await promise(shop, "c1", timedelta(days=3))
    with pytest.raises(FailedPrecondition) as refused:
        await stub.KeepCommitment(care.KeepCommitmentRequest(name=kept.name, note="  "))
    assert refused.value.metadata["guard"] == "NOTE_MISSING"
    await stub.KeepCommitment(care.KeepCommitmentRequest(name=kept.name, note="sent by courier"))
    await shop.days(4)
    with pytest.raises(FailedPrecondition):
        await stub.KeepCommitment(care.KeepCommitmentRequest(name=broken.name, note="sent too late"))
    listed = await stub.ListCommitments(care.ListCommitmentsRequest(parent=shop.parent))
    assert [(one.name, one.state, one.promise, one.note) for one in listed.commitments] == [
        (kept.name, care.Commitment.STATE_KEPT, "周五前寄出替换件", "sent by courier"),
        (broken.name, care.Commitment.STATE_BROKEN, "周五前寄出替换件", ""),
    ]
    assert listed.commitments[1].end_time.ToDatetime() == broken.due_time.ToDatetime()
    report = await stub.GetCommitmentReport(care.GetCommitmentReportRequest(parent=shop.parent))
    assert [(one.owner, one.kept, one.broken, one.open) for one in report.owners] == [("ann", 1, 1, 0)]
    with pytest.raises(InvalidArgument):
        await promise(shop, "c1", timedelta(hours=-1))
    plain = await shop.database.fetchval(
        "SELECT string_agg(w::text, '') || (SELECT string_agg(c::text, '') FROM commitments c) FROM care_words w"
    )
    assert "courier" not in plain


def regular(customer: str, *, every: int, last: timedelta, times: int = 6) -> list[Line]:
    """Somebody who bought `times` times, every so many days, the last time so long before the start."""
    return [
        line(customer, f"{customer}-{number}", START - last - timedelta(days=every * number)) for number in range(times)
    ]


@pytest.mark.clause("TAOBAO-4-3.3.1", "TAOBAO-4-3.3.4")
async def test_old_customers_get_a_word_in_time_and_help_when_something_is_wrong(shop: Shop) -> None:
    await shop.people(["fresh", "sends-back", "rates-low", "leave-me"])
    await shop.database.execute("UPDATE customers SET do_not_contact = true WHERE customer_id = 'leave-me'")
    for one in ("fresh", "sends-back", "rates-low", "leave-me"):
        await shop.record(regular(one, every=20, last=timedelta(days=5)))
    await night(shop)
    stub = CareServiceStub(shop.channel("ann", "agent"))

    async def due() -> dict[str, care.ContactTask]:
        request = care.ListContactTasksRequest(parent=shop.parent, state=care.ContactTask.STATE_DUE)
        found = await stub.ListContactTasks(request)
        return {one.customer.rpartition("/")[2]: one for one in found.tasks}

    assert await due() == {}
    await shop.days(1)
    await shop.buys("sends-back", "sends-back-r", START + timedelta(hours=1), kind="RETURN", refund_of="sends-back-0")
    conversation = f"{shop.parent}/conversations/v1"
    moved = events.Event(site=SITE, aggregate=conversation, occurred_at=stamp(START))
    moved.conversation_moved.customer = "rates-low"
    rated = events.Event(site=SITE, aggregate=conversation, occurred_at=stamp(START + timedelta(hours=1)))
    rated.conversation_rated.score = 1
    async with shop.database.transaction() as tx:
        for event in (moved, rated):
            await Neighbours(shop.parts.profiles).handle(event, tx)
    await night(shop)
    await night(shop)
    causes = {customer: task.cause for customer, task in (await due()).items()}
    assert causes == {"sends-back": care.ContactTask.CAUSE_RETURNS, "rates-low": care.ContactTask.CAUSE_LOW_RATING}
    task = (await due())["sends-back"]
    with pytest.raises(FailedPrecondition):
        await stub.CompleteContactTask(care.CompleteContactTaskRequest(name=task.name))
    await stub.CompleteContactTask(care.CompleteContactTaskRequest(name=task.name, note="wrong size, exchanged"))
    low = (await due())["rates-low"]
    await stub.SkipContactTask(care.SkipContactTaskRequest(name=low.name, reason="spoke in the shop"))
    await night(shop)
    assert await due() == {}
    await shop.days(92)
    for one in ("fresh", "sends-back", "rates-low", "leave-me"):
        await shop.buys(one, f"{one}-later", shop.database.clock.now() - timedelta(days=1))
    await night(shop)
    assert {customer: task.cause for customer, task in (await due()).items()} == dict.fromkeys(
        ("fresh", "sends-back", "rates-low"), care.ContactTask.CAUSE_ROUTINE
    )


async def lost_ones(shop: Shop, number: int) -> list[str]:
    """Customers who bought twice and have been silent for longer than the profile's 180 days."""
    customers = [f"l{at:02}" for at in range(number)]
    await shop.people(customers)
    await shop.record([buy for one in customers for buy in regular(one, every=10, last=timedelta(days=200), times=2)])
    await night(shop)
    return customers


async def plan(shop: Shop, case: api.WinBack, **changed: Any) -> api.WinBack:
    given = {"cause": api.WinBack.CAUSE_PRICE, "reward_points": 300, "coupon_fen": 1_000, **changed}
    made: api.WinBack = await WinBackServiceStub(shop.channel("bob")).PlanWinBack(
        api.PlanWinBackRequest(name=case.name, **given)
    )
    return made


@pytest.mark.clause("TAOBAO-4-3.4.1", "TAOBAO-4-3.4.2", "TAOBAO-4-3.4.3")
async def test_a_lost_customer_is_planned_for_contacted_heard_and_rewarded_on_return(shop: Shop) -> None:
    customers = await lost_ones(shop, 40)
    await night(shop)  # once lost is one case
    found = await cases(shop)
    assert sorted(found) == customers
    held = [one for one in customers if found[one].held_back]
    treated = [one for one in customers if not found[one].held_back]
    assert held
    stub = WinBackServiceStub(shop.channel("bob"))
    with pytest.raises(FailedPrecondition) as refused:
        await plan(shop, found[held[0]])
    assert refused.value.metadata["guard"] == "HELD_BACK"
    case = found[treated[0]]
    for changed, guard in (
        ({"cause": api.WinBack.CAUSE_UNSPECIFIED}, "REASON_MISSING"),
        ({"reward_points": 0, "coupon_fen": 0}, "OFFER_MISSING"),
    ):
        with pytest.raises(FailedPrecondition) as refused:
            await plan(shop, case, **changed)
        assert refused.value.metadata["guard"] == guard
    await plan(shop, case)
    with pytest.raises(FailedPrecondition) as refused:
        await stub.ContactWinBack(api.ContactWinBackRequest(name=case.name))
    assert refused.value.metadata["guard"] == "NOTE_MISSING"
    for number in range(3):
        await stub.ContactWinBack(api.ContactWinBackRequest(name=case.name, note=f"call {number}"))
    with pytest.raises(FailedPrecondition) as refused:
        await stub.ContactWinBack(api.ContactWinBackRequest(name=case.name, note="once more"))
    assert refused.value.metadata["guard"] == "ATTEMPTS_USED_UP"
    await stub.RespondWinBack(api.RespondWinBackRequest(name=case.name, note="too dear, will look again"))
    coupons = await shop.database.fetch("SELECT customer_id, value_fen FROM coupons WHERE cause = 'WIN_BACK'")
    assert [tuple(row) for row in coupons] == [(treated[0], 1_000)]
    await shop.days(10)
    await shop.buys(treated[0], "back", shop.database.clock.now() - timedelta(hours=1))
    await night(shop)
    await night(shop)
    won = (await cases(shop, api.WinBack.STATE_WON_BACK))[treated[0]]
    assert list(won.notes) == ["call 0", "call 1", "call 2", "too dear, will look again"]
    balance = await PointsServiceStub(shop.channel("bob")).GetPoints(points.GetPointsRequest(parent=won.customer))
    assert [lot.active for lot in balance.lots if lot.cause == "WIN_BACK"] == [300]
    await shop.days(91)
    await night(shop)
    report = await stub.GetWinBackReport(api.GetWinBackReportRequest(parent=shop.parent))
    assert (report.treated.customers, report.treated.bought) == (len(treated), 1)
    assert (report.held_back.customers, report.held_back.bought) == (len(held), 0)
    assert [(one.cause, one.cases, one.won_back) for one in report.causes] == [(api.WinBack.CAUSE_PRICE, 1, 1)]
    assert report.lift == pytest.approx(1 / len(treated))
    assert report.lift_low < report.lift < report.lift_high


async def test_what_was_written_is_told_on_request_and_forgotten_with_what_waits(shop: Shop) -> None:
    await shop.people(["c1", "c2"])
    await promise(shop, "c1", timedelta(days=2))
    await promise(shop, "c2", timedelta(days=2))
    await shop.start(await shop.draft())
    async with shop.database.transaction() as tx:
        told = await export(tx, shop.parts.queries, shop.parts.words, SITE, "c1")
        assert [(one["kind"], one["text"]) for one in told["words"]] == [("PROMISE", "周五前寄出替换件")]
        assert [one["state"] for one in told["messages"]] == ["PLANNED"]
        done = await erasure.erase(tx, SITE, ["c1"])
    assert (done["care_words"], done["care_messages"], done["kefu_letters"]) == (1, 1, 1)
    await shop.send()
    assert shop.box.got == ["c2@example.com"]
    assert await shop.database.fetchval("SELECT array_agg(customer) FROM care_words") == ["c2"]


async def test_the_rhythm_tells_who_is_late_for_themselves(shop: Shop) -> None:
    """Silent for 60 days: nothing for who buys every season, much for who bought every week; the rule sees neither."""
    people = [f"s{at}" for at in range(30)] + [f"w{at}" for at in range(30)]
    await shop.people(people)
    for at in range(30):
        silent = timedelta(days=60 if at < 10 else 3)
        await shop.record(
            regular(f"s{at}", every=70 + at % 5, last=timedelta(days=60), times=5)
            + regular(f"w{at}", every=6 + at % 3, last=silent, times=12)
        )
    await night(shop)
    rows = await shop.database.fetch("SELECT customer, lifecycle, by_rule, judge FROM lifecycles")
    found = {row["customer"]: row for row in rows}
    assert {found[f"s{at}"]["lifecycle"] for at in range(30)} == {"OLD"}
    assert {found[f"w{at}"]["lifecycle"] for at in range(10)} <= {"DORMANT", "LOST"}
    assert {found[f"w{at}"]["lifecycle"] for at in range(10, 30)} == {"OLD"}
    assert {row["judge"] for row in rows} == {"RHYTHM"}
    assert {row["by_rule"] for row in rows} == {"OLD"}
