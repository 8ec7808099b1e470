"""Campaigns on a real database and a real mail server: drawn, held back, guarded when they leave, measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp
from kefu.crm.v1 import campaign_service_pb2 as api

from services.crm.commands import sending
from services.crm.domain.holdout import Arm, arm_of, commitment
from services.crm.profiles import SiteProfiles
from services.kit.errors import FailedPrecondition, InvalidArgument
from services.kit.testing.postgres import Databases
from tests.integration.crm.conftest import SITE
from tests.integration.crm.shop import START, Shop, line, messages, open_shop

SERVICES = ("crm",)


@pytest_asyncio.fixture(loop_scope="session")
async def shop(databases: Databases, profiles: SiteProfiles, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(databases, profiles, tmp_path) as opened:
        yield opened


@pytest.mark.clause("TAOBAO-1-4.3.3", "ONLINE-2.1.3-2", "TAOBAO-4-3.2.3")
async def test_a_campaign_from_draft_to_its_measured_lift(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "BATCH", 50)
    customers = [f"c{number:04}" for number in range(120)]
    await shop.people(customers)
    await shop.people(["z-other"], interests=("coffee",))
    before = START - timedelta(days=30)
    await shop.record([line(one, f"before-{one}", before) for one in customers])
    campaign = await shop.draft(
        kind="KIND_GIVEBACK",
        holdout_share=0.3,
        segment={"field": "spend_yuan", "test": "AT_LEAST", "number": 50},
    )
    await shop.start(campaign)
    await shop.send()
    got = {one.partition("@")[0] for one in shop.box.got}
    treated = [one for one in customers if one in got]
    held = [one for one in customers if one not in got]
    assert 0 < len(held) < len(customers)
    assert got == set(treated)
    await shop.days(1)
    buyers = [*treated[:40], *held[:3], treated[0]]
    await shop.record(
        [line(one, f"after-{number}", START + timedelta(minutes=number)) for number, one in enumerate(buyers)]
    )
    await shop.days(14.1)
    await shop.buys(treated[-1], "too-late", START + timedelta(days=14, hours=1))
    found = await shop.result(campaign)
    assert (found.treated.customers, found.treated.bought) == (len(treated), 40)
    assert (found.held_back.customers, found.held_back.bought) == (len(held), 3)
    assert 0 < found.lift_low < found.lift < found.lift_high
    assert messages(found)["SENT", ""] == len(treated)
    ended = await shop.get(campaign)
    assert ended.state == api.Campaign.STATE_ENDED
    seed = bytes.fromhex(ended.seed)
    assert commitment(seed) == campaign.seed_sha256
    assert {one for one in customers if arm_of(seed, campaign.name, one, share=0.3) is Arm.HELD_BACK} == set(held)


async def test_a_second_person_approves_and_the_past_is_no_start(shop: Shop) -> None:
    campaign = await shop.draft()
    assert campaign.seed == ""
    with pytest.raises(FailedPrecondition) as refused:
        await shop.campaigns("ann").ApproveCampaign(api.ApproveCampaignRequest(name=campaign.name))
    assert refused.value.metadata["guard"] == "SAME_PERSON"
    with pytest.raises(FailedPrecondition):
        await shop.campaigns().ScheduleCampaign(api.ScheduleCampaignRequest(name=campaign.name))
    await shop.campaigns("bob").ApproveCampaign(api.ApproveCampaignRequest(name=campaign.name))
    early = Timestamp()
    early.FromDatetime(START - timedelta(days=1))
    with pytest.raises(InvalidArgument):
        await shop.campaigns().ScheduleCampaign(api.ScheduleCampaignRequest(name=campaign.name, start_time=early))


@pytest.mark.parametrize(
    "segment",
    [
        {},
        {"field": "shoe_size", "test": "AT_LEAST", "number": 3},
        {"field": "tier", "test": "AT_LEAST", "number": 3},
        {"field": "tier", "test": "IS_ONE_OF"},
        {"all": [{"not": {"any": "everybody"}}]},
        {"all": [{"field": "orders", "test": "AT_LEAST", "number": 1}] * 51},
    ],
)
async def test_a_segment_without_sense_is_refused_with_what_is_wrong(shop: Shop, segment: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await shop.draft(segment=segment)
    assert [one.field for one in refused.value.fields] == ["campaign.segment"]


async def test_consent_withdrawn_while_a_campaign_is_being_sent_holds(shop: Shop) -> None:
    """The first message that the mail server sees makes everybody else withdraw: of them nobody gets one."""
    customers = [f"c{number:02}" for number in range(50)]
    await shop.people(customers)
    await shop.start(await shop.draft())
    leaving: list[str] = []
    asked: list[bool] = []

    async def change_minds() -> None:
        if not asked:
            asked.append(True)
            rows = await shop.database.fetch("SELECT customer FROM care_messages WHERE state = 'LEAVING'")
            leaving.extend(row["customer"] for row in rows)
            for one in customers:
                await shop.withdraw(one)

    shop.box.before.append(change_minds)
    await shop.send()
    assert 0 < len(leaving) < 50
    assert sorted(shop.box.got) == sorted(f"{one}@example.com" for one in leaving)  # what had left the house by then
    kept = await shop.database.fetchval("SELECT count(*) FROM kefu_letters WHERE sealed IS NOT NULL")
    assert kept == 0


async def test_a_withdrawal_is_never_overtaken(shop: Shop) -> None:
    """Either the withdrawal is first and nothing goes, or the claim is and exactly one goes: never a torn state."""
    customers = [f"c{number:02}" for number in range(20)]
    await shop.people(customers)
    await shop.start(await shop.draft())
    await asyncio.gather(shop.send(), *(shop.withdraw(customer) for customer in customers))
    rows = await shop.database.fetch("SELECT customer, state FROM care_messages")
    assert {row["state"] for row in rows} <= {"SENT", "SUPPRESSED"}
    assert sorted(shop.box.got) == sorted(f"{row['customer']}@example.com" for row in rows if row["state"] == "SENT")
    later = await shop.draft()
    await shop.start(later)
    await shop.send()
    assert messages(await shop.result(later)) == {("SUPPRESSED", "NO_CONSENT"): 20}


async def test_quiet_hours_hold_and_the_morning_sends(shop: Shop) -> None:
    await shop.people(["c1"])
    await shop.at(START + timedelta(hours=10))  # 22:00
    campaign = await shop.draft()
    await shop.start(campaign)
    preview = await shop.campaigns().PreviewCampaign(api.PreviewCampaignRequest(name=campaign.name))
    assert preview.waiting == 1
    await shop.send()
    assert shop.box.got == []
    await shop.at(START + timedelta(hours=21))  # 09:00
    await shop.send()
    assert shop.box.got == ["c1@example.com"]


async def test_the_frequency_cap_holds_over_campaigns_and_couriers(shop: Shop) -> None:
    await shop.people(["c1", "c2"])
    for _ in range(5):
        await shop.start(await shop.draft())
    await asyncio.gather(shop.courier.send_due(), shop.courier.send_due())
    await shop.send()
    assert sorted(shop.box.got) == ["c1@example.com"] * 2 + ["c2@example.com"] * 2
    capped = await shop.database.fetchval("SELECT count(*) FROM care_messages WHERE reason = 'FREQUENCY_CAP'")
    assert capped == 6
    another = await shop.draft()
    preview = await shop.campaigns().PreviewCampaign(api.PreviewCampaignRequest(name=another.name))
    assert [(one.reason, one.count) for one in preview.barred] == [("FREQUENCY_CAP", 2)]
    await shop.days(8)
    await shop.start(await shop.draft())
    await shop.send()
    assert len(shop.box.got) == 6


async def test_what_is_cancelled_stays_at_home(shop: Shop) -> None:
    await shop.people([f"c{number}" for number in range(30)])
    campaign = await shop.draft()
    await shop.start(campaign)
    assert await shop.courier.send_due() == 20
    with pytest.raises(FailedPrecondition):
        await shop.campaigns().CancelCampaign(api.CancelCampaignRequest(name=campaign.name, reason=" "))
    await shop.campaigns().CancelCampaign(api.CancelCampaignRequest(name=campaign.name, reason="wrong price"))
    await shop.send()
    assert len(shop.box.got) == 20
    assert messages(await shop.result(campaign)) == {("SENT", ""): 20, ("SUPPRESSED", "CANCELLED"): 10}


async def test_the_preview_says_who_gets_what_and_is_what_happens(shop: Shop) -> None:
    await shop.people([f"c{number:03}" for number in range(60)], interests=("tea",))
    await shop.people(["other"])
    for customer in ("c001", "c002", "c003"):
        await shop.withdraw(customer)
    campaign = await shop.draft(holdout_share=0.2, segment={"field": "interests", "test": "HAS_ANY", "words": ["tea"]})
    seen = await shop.campaigns().PreviewCampaign(api.PreviewCampaignRequest(name=campaign.name))
    assert (seen.customers, seen.audience, seen.unknown) == (61, 60, 0)
    assert seen.held_back + seen.channels[0].count + seen.barred[0].count == 60
    assert seen.barred[0].reason == "NO_CONSENT"
    assert {(one.field, one.value, one.holds) for fate in seen.sample for one in fate.reasons} == {
        ("interests", "tea", True)
    }
    assert sum(one.held_back for one in seen.sample) <= seen.held_back
    await shop.start(campaign)
    await shop.send()
    found = messages(await shop.result(campaign))
    assert found["HELD_BACK", ""] == seen.held_back
    assert found["SENT", ""] == seen.channels[0].count


@pytest.mark.clause("TAOBAO-4-2.3.3")
async def test_the_customer_s_channel_comes_first_and_who_wants_nothing_gets_nothing(shop: Shop) -> None:
    await shop.people(["likes-mail"], preferred_channels=("EMAIL",), phone="13800138000")
    await shop.people(["likes-sms"], preferred_channels=("SMS",), phone="13800138001")
    await shop.people(["leave-me"], do_not_contact=True)
    campaign = await shop.draft(channels=["SMS", "EMAIL"])
    seen = await shop.campaigns().PreviewCampaign(api.PreviewCampaignRequest(name=campaign.name))
    fates = {one.customer.rpartition("/")[2]: (one.channel, one.barred) for one in seen.sample}
    # no consent was given for text messages: the next channel that is open is taken
    assert fates == {
        "likes-mail": ("EMAIL", ""),
        "likes-sms": ("EMAIL", ""),
        "leave-me": ("", "DO_NOT_CONTACT"),
    }


@pytest.mark.clause("TAOBAO-4-2.4.2")
async def test_a_birthday_brings_a_greeting_with_a_coupon_once_a_year_on_the_site_s_day(shop: Shop) -> None:
    await shop.people(["march3"], purpose="CARE", birth_month=3, birth_day=3)
    await shop.people(["leap"], purpose="CARE", birth_month=2, birth_day=29)
    await shop.people(["unknown"], purpose="CARE")
    for _ in range(2):  # a second campaign does not congratulate twice
        campaign = await shop.draft(
            kind="KIND_BIRTHDAY",
            purpose="PURPOSE_CARE",
            body="{name}，生日快乐！券码 {coupon}",
            coupon_fen=2_000,
            coupon_days=30,
        )
        await shop.start(campaign)
    await shop.at(datetime(2026, 3, 10, tzinfo=UTC))
    assert shop.box.got == ["march3@example.com"]
    (left,) = await shop.database.fetch("SELECT left_at, id FROM care_messages WHERE state = 'SENT'")
    assert left["left_at"] == datetime(2026, 3, 3, 4, tzinfo=UTC)  # noon at the site
    (coupon,) = await shop.database.fetch("SELECT coupon_id, customer_id, value_fen, state FROM coupons")
    assert tuple(coupon) == (left["id"], "march3", 2_000, "ISSUED")
    await shop.asleep(datetime(2027, 2, 26, tzinfo=UTC))
    await shop.at(datetime(2027, 3, 4, tzinfo=UTC))
    await shop.asleep(datetime(2028, 2, 27, tzinfo=UTC))
    await shop.at(datetime(2028, 3, 1, 5, tzinfo=UTC))
    days = await shop.database.fetch(
        "SELECT customer, (left_at AT TIME ZONE 'Asia/Shanghai')::date AS day FROM care_messages"
        " WHERE state = 'SENT' ORDER BY left_at"
    )
    assert [tuple(row) for row in days] == [
        ("march3", date(2026, 3, 3)),
        ("leap", date(2027, 2, 28)),
        ("march3", date(2027, 3, 3)),
        ("leap", date(2028, 2, 29)),
    ]


@pytest.mark.clause("TAOBAO-4-2.4.1")
async def test_every_holiday_brings_one_greeting_on_its_first_day(shop: Shop) -> None:
    await shop.people(["c1"], purpose="CARE")
    await shop.start(await shop.draft(kind="KIND_HOLIDAY", purpose="PURPOSE_CARE"))
    await shop.at(datetime(2026, 4, 8, tzinfo=UTC))
    await shop.asleep(datetime(2026, 9, 20, tzinfo=UTC))
    await shop.at(datetime(2026, 10, 12, tzinfo=UTC))
    rows = await shop.database.fetch(
        "SELECT (left_at AT TIME ZONE 'Asia/Shanghai')::date AS day, occasion FROM care_messages ORDER BY left_at"
    )
    assert [(row["day"], row["occasion"]) for row in rows] == [
        (date(2026, 4, 5), "holiday/清明节/2026"),
        (date(2026, 9, 25), "holiday/中秋节/2026"),
        (date(2026, 10, 1), "holiday/国庆节/2026"),
    ]
    assert len(shop.box.got) == 3


@pytest.mark.clause("TAOBAO-4-2.4.3", "TAOBAO-4-3.3.2")
async def test_news_of_products_come_round_by_the_profile_s_interval(shop: Shop) -> None:
    await shop.people(["c1"])
    await shop.people(["newcomer"])
    for number in range(4):
        await shop.buys("c1", f"earlier-{number}", START - timedelta(days=10 * number + 3))
    await shop.parts.relations.judge(shop.parts.profiles.at(SITE, START))
    await shop.start(
        await shop.draft(
            kind="KIND_NEW_PRODUCT",
            recurring=True,
            segment={"field": "lifecycle", "test": "IS_ONE_OF", "words": ["OLD"]},
            coupon_fen=500,
            coupon_days=14,
        )
    )
    await shop.days(29)
    rows = await shop.database.fetch("SELECT left_at, customer FROM care_messages ORDER BY left_at")
    assert {row["customer"] for row in rows} == {"c1"}
    assert [row["left_at"] - START for row in rows] == [timedelta(weeks=number) for number in (0, 2, 4)]
    assert await shop.database.fetchval("SELECT count(*) FROM coupons") == 3


async def test_nothing_personal_is_kept_of_what_was_sent(shop: Shop) -> None:
    await shop.people(["c1"])
    await shop.start(await shop.draft())
    waiting = await shop.database.fetchval("SELECT string_agg(l::text, '') FROM kefu_letters l")
    assert "客户c1" not in waiting
    await shop.send()
    assert await shop.database.fetchval("SELECT count(*) FROM kefu_letters WHERE sealed IS NOT NULL") == 0


async def test_a_customer_of_merged_files_is_one_and_their_last_word_counts(shop: Shop) -> None:
    await shop.people(["kept", "joined"])
    async with shop.database.transaction() as tx:
        await shop.parts.customers.merge(tx, SITE, "joined", "kept", actor="ann")
    await shop.start(await shop.draft())
    await shop.send()
    assert shop.box.got == ["kept@example.com"]
    await shop.days(8)
    await shop.withdraw("joined")
    campaign = await shop.draft()
    seen = await shop.campaigns().PreviewCampaign(api.PreviewCampaignRequest(name=campaign.name))
    assert [(one.reason, one.count) for one in seen.barred] == [("NO_CONSENT", 1)]


async def test_a_coupon_has_a_worth_and_days(shop: Shop) -> None:
    with pytest.raises(InvalidArgument):
        await shop.draft(coupon_fen=100)
    made = ParseDict({"kind": "KIND_OFFER"}, api.Campaign())
    with pytest.raises(InvalidArgument):
        await shop.campaigns().CreateCampaign(api.CreateCampaignRequest(parent=shop.parent, campaign=made))
