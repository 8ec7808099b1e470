"""The service-level report against a small history reckoned by hand, and its file."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from kefu.intake.v1 import site_service_pb2 as api
from kefu.intake.v1.site_service_pb2_grpc import SiteServiceStub

from services.kit.client import ClientChannel, Target
from services.kit.errors import InvalidArgument, PermissionDenied
from tests.integration.intake.desk import START, Desk


def request(desk: Desk, begin: datetime, end: datetime) -> api.GetServiceLevelReportRequest:
    made = api.GetServiceLevelReportRequest(parent=desk.parent)
    getattr(made, "from").FromDatetime(begin)
    made.to.FromDatetime(end)
    return made


async def report(
    desk: Desk, begin: datetime = START, end: datetime = START + timedelta(days=1)
) -> api.ServiceLevelReport:
    return await desk.person("boss", "supervisor").site.GetServiceLevelReport(request(desk, begin, end))


async def history(desk: Desk) -> None:
    """Six conversations: first responses after 10, 20, 30 and 50 s, one left after 5 s, one after 40 s.

    ann answers c-1 (10 s, rated 5), c-2 (20 s, rated 4) and c-4 (50 s, late); bob answers c-3 (30 s, exactly in time).
    c-5 leaves after 5 s, c-6 after 40 s. c-3 is handed on once.
    """
    ann = await desk.staff("ann", "GENERAL", capacity=3)
    for customer, after, score in (("c-1", 10, 5), ("c-2", 20, 4)):
        opened = await desk.customer(customer).open()
        await desk.settle()
        await ann.serve(opened.name)
        await desk.advance(after)
        await ann.say(opened.name, "hello")
        await ann.close(opened.name)
        await desk.customer(customer).rate(opened.name, score)
    bob = await desk.staff("bob", "ACCOUNT")
    third = await desk.customer("c-3").open(queue="ACCOUNT")
    await desk.settle()
    await bob.serve(third.name)
    await desk.advance(30)
    await bob.say(third.name, "hello")
    await bob.transfer(third.name, queue="SPECIALIST")
    fourth = await desk.customer("c-4").open()
    await desk.settle()
    await ann.serve(fourth.name)
    await desk.advance(50)
    await ann.say(fourth.name, "hello")
    await desk.presence("ann", "BREAK")
    for customer, after in (("c-5", 5), ("c-6", 40)):
        leaver = desk.customer(customer)
        opened = await leaver.open()
        await desk.advance(after)
        await leaver.leave(opened.name)


@pytest.mark.clause("ONLINE-3.1.1-1")
async def test_the_figures_are_those_reckoned_by_hand(desk: Desk) -> None:
    await history(desk)
    shown = await report(desk)
    total = shown.total
    assert (total.offered, total.answered, total.abandoned) == (6, 4, 2)
    assert total.first_response_mean_seconds == pytest.approx((10 + 20 + 30 + 50) / 4)
    assert total.first_response_median_seconds == pytest.approx(25)
    assert total.first_response_p90_seconds == pytest.approx(44)  # 30 + 0.7 × 20
    level = total.first_response
    assert (level.met, level.breached, level.cancelled) == (3, 2, 1)
    assert level.ratio == pytest.approx(3 / 5)
    assert (total.transfers, total.ratings, total.rating_mean) == (1, 2, 4.5)
    assert total.breaches == 2
    queues = {line.key: line for line in shown.by_queue}
    assert {key: (line.offered, line.answered) for key, line in queues.items()} == {
        "ACCOUNT": (1, 1),
        "GENERAL": (5, 3),
    }
    assert (queues["GENERAL"].first_response.met, queues["GENERAL"].first_response.breached) == (2, 2)
    people = {line.key: line for line in shown.by_person}
    assert {key: (line.answered, line.first_response.met) for key, line in people.items()} == {
        "ann": (3, 2),
        "bob": (1, 1),
    }
    assert people["bob"].first_response_median_seconds == 30


async def test_a_period_holds_what_was_opened_and_what_came_due_in_it(desk: Desk) -> None:
    opened = await desk.customer("c-1").open()  # at START, breaks at START + 30 s
    await desk.advance(31)
    split = START + timedelta(seconds=15)
    before, after = await report(desk, START, split), await report(desk, split, START + timedelta(days=1))
    assert (before.total.offered, before.total.first_response.breached) == (1, 0)
    assert (after.total.offered, after.total.first_response.breached) == (0, 1)
    assert opened.create_time.ToDatetime() == START.replace(tzinfo=None)


async def test_an_empty_period_is_a_report_of_zeros(desk: Desk) -> None:
    shown = await report(desk)
    assert (shown.total.offered, shown.total.first_response.ratio, list(shown.by_queue)) == (0, 1.0, [])


@pytest.mark.parametrize(
    ("begin", "end", "field"),
    [
        (START, START, "to"),
        (START, START - timedelta(days=1), "to"),
        (START, START + timedelta(days=92, seconds=1), "to"),
    ],
)
async def test_a_period_must_make_sense(desk: Desk, begin: datetime, end: datetime, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await report(desk, begin, end)
    assert [violation.field for violation in refused.value.fields] == [field]


async def test_both_ends_are_required_and_must_be_dates(desk: Desk) -> None:
    stub = desk.person("boss", "supervisor").site
    with pytest.raises(InvalidArgument) as missing:
        await stub.GetServiceLevelReport(api.GetServiceLevelReportRequest(parent=desk.parent))
    assert {violation.field for violation in missing.value.fields} == {"from", "to"}
    wrong = request(desk, START, START + timedelta(days=1))
    wrong.to.CopyFrom(Timestamp(seconds=10**14))
    with pytest.raises(InvalidArgument):
        await stub.GetServiceLevelReport(wrong)


async def exported(desk: Desk, locale: str) -> api.ExportServiceLevelReportResponse:
    token = desk.keys.token("boss", sites={desk.site: ["supervisor"]})
    target = Target(f"ipv4:127.0.0.1:{desk.app.server.port}")
    async with ClientChannel(target, token=lambda: token, locale=locale) as channel:
        stub = SiteServiceStub(channel)
        return await stub.ExportServiceLevelReport(request(desk, START, START + timedelta(hours=14)))


@pytest.mark.parametrize(
    ("locale", "scope", "heading"), [("zh-CN", "全部", "服务水平（%）"), ("en", "Total", "Service level (%)")]
)
async def test_the_file_opens_in_a_spreadsheet_in_the_callers_language(
    desk: Desk, locale: str, scope: str, heading: str
) -> None:
    await history(desk)
    file = await exported(desk, locale)
    assert (file.media_type, file.file_name) == ("text/csv", "service-level_online-desk_20261120-20261120.csv")
    assert file.content.startswith(b"\xef\xbb\xbf")
    header, *rows = csv.reader(io.StringIO(file.content.decode("utf-8-sig"), newline=""))
    assert heading in header
    assert all(len(row) == len(header) for row in rows)
    assert [row[1] for row in rows] == ["", "ACCOUNT", "GENERAL", "ann", "bob"]
    total = dict(zip(header, rows[0], strict=True))
    assert rows[0][0] == scope
    assert total[heading] == "60.00"


async def test_agents_and_customers_get_no_report(desk: Desk) -> None:
    for role in ("agent", "customer"):
        with pytest.raises(PermissionDenied):
            await desk.person("x", role).site.GetServiceLevelReport(request(desk, START, START + timedelta(days=1)))
