"""Files of customers: masked, merged and taken out again, verified, agreed to, and seen in the clear by two people."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from kefu.crm.v1 import customer_pb2 as pb
from kefu.crm.v1 import customer_service_pb2 as api
from kefu.crm.v1 import tier_service_pb2 as tier_api

from services.kit.db import Database
from services.kit.errors import Aborted, AlreadyExists, FailedPrecondition, NotFound, PermissionDenied
from tests.integration.crm.conftest import SITE, Crm

SERVICES = ("crm",)
FANG = pb.Customer(
    display_name="王芳", phone="+86 138 0013 8000", email="fang@example.com", address="上海市静安区南京西路1号"
)
WORDS = ("王芳", "13800138000", "138 0013 8000", "fang@example.com", "南京西路", "tb-fang")


async def add(crm: Crm, customer: pb.Customer = FANG, *, tb: str = "", id_: str = "") -> pb.Customer:
    """Add a customer, with an identity on TAOBAO if one is given."""
    identities = [pb.Identity(channel="TAOBAO", external_id=tb)] if tb else []
    made: pb.Customer = await crm.customers().CreateCustomer(
        api.CreateCustomerRequest(parent=crm.parent, customer_id=id_, customer=customer, identities=identities)
    )
    return made


@pytest.mark.clause("LIVE-5.1.1-2", "TAOBAO-4-2.2.3")
async def test_every_reply_is_masked_and_the_database_holds_no_word_in_the_clear(crm: Crm, database: Database) -> None:
    made = await add(crm, tb="tb-fang")
    assert (made.display_name, made.phone, made.email, made.address) == (
        "王**",
        "+86****8000",
        "f***@example.com",
        "上**",
    )
    assert made.identities[0].external_id == "tb****"
    found = await crm.customers().LookUpCustomer(
        api.LookUpCustomerRequest(parent=crm.parent, channel="TAOBAO", external_id="tb-fang")
    )
    assert found == made == await crm.customers().GetCustomer(api.GetCustomerRequest(name=made.name))
    tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'crm'")
    rows = [str(row) for (table,) in tables for row in await database.fetch(f'SELECT t::text FROM "{table}" t')]
    assert rows
    for word in WORDS:
        shapes = (word, word.encode().hex())
        assert not [row for row in rows for shape in shapes if shape in row]


@pytest.mark.clause("ONLINE-2.1.3-3")
async def test_an_edit_needs_the_etag_that_was_read_and_changes_what_it_names(crm: Crm) -> None:
    made = await add(crm)
    edit = pb.Customer(name=made.name, region="上海", interests=["TEA"], etag=made.etag)
    request = api.UpdateCustomerRequest(customer=edit, update_mask=FieldMask(paths=["region", "interests"]))
    after = await crm.customers().UpdateCustomer(request)
    assert (after.region, list(after.interests), after.phone) == ("上海", ["TEA"], made.phone)
    with pytest.raises(Aborted):
        await crm.customers().UpdateCustomer(request)


async def test_a_write_that_is_repeated_happens_once(crm: Crm) -> None:
    request = api.CreateCustomerRequest(parent=crm.parent, customer=FANG, request_id=str(uuid.uuid4()))
    first, second = [await crm.customers().CreateCustomer(request) for _ in range(2)]
    assert first == second


async def test_an_identity_belongs_to_one_file(crm: Crm) -> None:
    first, second = await add(crm, tb="tb-one"), await add(crm)
    with pytest.raises(AlreadyExists):
        await add(crm, tb="tb-one")
    with pytest.raises(AlreadyExists):
        await crm.customers().LinkIdentity(
            api.LinkIdentityRequest(name=second.name, identity=pb.Identity(channel="TAOBAO", external_id=" tb-one "))
        )
    linked = await crm.customers().LinkIdentity(
        api.LinkIdentityRequest(name=first.name, identity=pb.Identity(channel="WECHAT", external_id="wx-one"))
    )
    assert [one.channel for one in linked.identities] == ["TAOBAO", "WECHAT"]


async def test_merging_keeps_every_link_and_taking_out_restores_both(crm: Crm) -> None:
    one, two, three = [await add(crm, tb=f"tb-m{number}") for number in range(3)]
    await merge(crm, one, two)
    await merge(crm, two, three)
    assert len((await get(crm, three.name)).identities) == 3
    gone = await get(crm, one.name)
    assert (gone.state, gone.merged_into) == (pb.Customer.STATE_MERGED, two.name)
    assert (await look_up(crm, "tb-m0")).name == three.name

    out = await crm.customers().UnmergeCustomer(api.UnmergeCustomerRequest(name=two.name))
    assert (out.state, out.merged_into, len(out.identities)) == (pb.Customer.STATE_ACTIVE, "", 2)
    assert (await look_up(crm, "tb-m0")).name == two.name
    assert len((await get(crm, three.name)).identities) == 1
    with pytest.raises(FailedPrecondition, match="WRONG_STATE"):
        await crm.customers().UnmergeCustomer(api.UnmergeCustomerRequest(name=two.name))


async def test_a_merge_in_a_circle_is_refused_however_it_is_tried(crm: Crm) -> None:
    one, two, three = [await add(crm) for _ in range(3)]
    await merge(crm, one, two)
    await merge(crm, two, three)
    for goes, stays in ((three, one), (three, three), (three, two)):
        with pytest.raises(FailedPrecondition, match="MERGE_CIRCLE"):
            await merge(crm, goes, stays)
    four, five = await add(crm), await add(crm)
    done = await asyncio.gather(merge(crm, four, five), merge(crm, five, four), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Customer", "FailedPrecondition"]


@pytest.mark.clause("TAOBAO-4-2.2.2")
async def test_a_file_falls_due_after_the_sites_interval_and_is_good_again_once_verified(
    crm: Crm, database: Database
) -> None:
    made = await add(crm)
    assert (made.verify_due_at.ToDatetime() - made.verified_at.ToDatetime()).days in range(180, 186)
    await database.execute(
        "UPDATE customers SET verify_due_at = now() WHERE customer_id = $1", made.name.rpartition("/")[2]
    )
    async with database.transaction() as tx:
        from services.crm.store.customers import mark_stale

        assert await mark_stale(tx, limit=10) == 1
    listed = await crm.customers().ListCustomers(api.ListCustomersRequest(parent=crm.parent, stale=True))
    assert [one.name for one in listed.customers] == [made.name]
    after = await crm.customers().VerifyCustomer(api.VerifyCustomerRequest(name=made.name))
    assert after.state == pb.Customer.STATE_ACTIVE
    listed = await crm.customers().ListCustomers(api.ListCustomersRequest(parent=crm.parent, stale=True))
    assert not listed.customers


async def test_consent_is_kept_per_purpose_and_channel_with_its_history(crm: Crm, database: Database) -> None:
    made = await add(crm)
    for granted in (True, False):
        consent = pb.Consent(purpose=pb.PURPOSE_MARKETING, channel="SMS", granted=granted, source="FORM")
        await crm.customers("ann", "agent").SetConsent(api.SetConsentRequest(name=made.name, consent=consent))
    said = await crm.customers().ListConsents(api.ListConsentsRequest(parent=made.name))
    assert [(one.granted, one.actor) for one in said.consents] == [(False, "ann"), (True, "ann")]
    stands = await database.fetchval(
        "SELECT granted FROM consents WHERE customer_id = $1", made.name.rpartition("/")[2]
    )
    assert stands is False


async def test_clear_data_takes_two_people_ends_by_itself_and_leaves_a_trace(crm: Crm, database: Database) -> None:
    made = await add(crm, tb="tb-clear")
    ask = api.RequestUnmaskRequest(parent=made.name, reason="回访需要核对地址")
    grant = await crm.customers("ann", "agent").RequestUnmask(ask)
    waiting = await crm.customers("lead", "supervisor").ListUnmaskGrants(api.ListUnmaskGrantsRequest(parent=crm.parent))
    assert [(one.name, one.reason) for one in waiting.grants] == [(grant.name, ask.reason)]
    decide = api.DecideUnmaskRequest(name=grant.name, granted=True)
    with pytest.raises(PermissionDenied):
        await crm.customers("ann", "agent").DecideUnmask(decide)
    with pytest.raises(PermissionDenied, match="SECOND_PERSON"):
        await crm.customers("ann", "supervisor").DecideUnmask(decide)
    look = api.UnmaskCustomerRequest(name=grant.name, request_id=str(uuid.uuid4()))
    with pytest.raises(FailedPrecondition):
        await crm.customers("ann", "agent").UnmaskCustomer(look)
    await crm.customers("lead", "supervisor").DecideUnmask(decide)
    clear = await crm.customers("ann", "agent").UnmaskCustomer(look)
    assert (clear.display_name, clear.phone, clear.identities[0].external_id) == ("王芳", FANG.phone, "tb-clear")
    with pytest.raises(FailedPrecondition):
        await crm.customers("bob", "agent").UnmaskCustomer(api.UnmaskCustomerRequest(name=grant.name))
    await database.execute("UPDATE unmask_grants SET expires_at = now()")
    with pytest.raises(FailedPrecondition, match="EXPIRED"):
        await crm.customers("ann", "agent").UnmaskCustomer(look)
    acts = await database.fetch("SELECT actor, action FROM kefu_audit WHERE action LIKE '%unmask%' ORDER BY number")
    assert [tuple(row) for row in acts] == [
        ("ann", "unmask.request"),
        ("lead", "unmask.decide"),
        ("ann", "customer.unmask"),
    ]


async def test_pages_hold_every_customer_once_and_another_sites_are_not_shown(crm: Crm) -> None:
    for _ in range(8):
        await add(crm)
    seen: list[str] = []
    token = ""
    while True:
        page = await crm.customers().ListCustomers(
            api.ListCustomersRequest(parent=crm.parent, page_size=3, page_token=token)
        )
        seen += [one.name for one in page.customers]
        token = page.next_page_token
        if not token:
            break
    assert len(seen) == len(set(seen)) >= 8
    with pytest.raises(PermissionDenied):
        await crm.customers().ListCustomers(api.ListCustomersRequest(parent="sites/online-desk"))
    with pytest.raises(NotFound):
        await get(crm, f"sites/{SITE}/customers/nobody")


async def get(crm: Crm, name: str) -> pb.Customer:
    found: pb.Customer = await crm.customers().GetCustomer(api.GetCustomerRequest(name=name))
    return found


async def look_up(crm: Crm, external_id: str) -> pb.Customer:
    request = api.LookUpCustomerRequest(parent=crm.parent, channel="TAOBAO", external_id=external_id)
    found: pb.Customer = await crm.customers().LookUpCustomer(request)
    return found


async def merge(crm: Crm, goes: pb.Customer, stays: pb.Customer) -> Any:
    return await crm.customers().MergeCustomer(api.MergeCustomerRequest(name=goes.name, into=stays.name))


@pytest.mark.clause("TAOBAO-1-4.2.2")
async def test_what_customers_of_each_tier_like_is_counted_and_a_merged_file_counts_once(crm: Crm) -> None:
    likes = f"TEA_{uuid.uuid4().hex[:8].upper()}"
    fond = pb.Customer(interests=[likes, "CUPS"], preferred_channels=["EMAIL"], region="浙江")
    made = [await add(crm, fond) for _ in range(3)]
    request = api.MergeCustomerRequest(name=made[0].name, into=made[1].name)
    await crm.customers().MergeCustomer(request)
    found = await crm.tiers().GetPreferenceReport(tier_api.GetPreferenceReportRequest(parent=crm.parent))
    by_value = {(one.tier, one.kind, one.value): one.customers for one in found.counts}
    assert by_value["ORDINARY", "INTEREST", likes] == 2
    assert by_value["ORDINARY", "CHANNEL", "EMAIL"] >= 2
    assert by_value["ORDINARY", "REGION", "浙江"] >= 2
    assert not [one for one in found.counts if not one.value]
