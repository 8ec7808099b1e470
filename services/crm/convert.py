"""Contract ↔ domain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from kefu.crm.v1 import customer_pb2 as pb
from kefu.crm.v1 import order_service_pb2 as orders
from kefu.crm.v1 import points_service_pb2 as points
from kefu.crm.v1 import tier_service_pb2 as tiers

from services.crm.domain.consent import Consent
from services.crm.domain.coupon import Coupon
from services.crm.domain.customer import Customer, File, Identity
from services.crm.domain.orders import Line
from services.crm.domain.points import Lot
from services.crm.domain.tiers import Bar, Measures, Rules
from services.crm.domain.unmask import Grant
from services.kit.instants import stamp

MASK = "****"


def file_from(customer: pb.Customer) -> File:
    """What a caller says about a customer."""
    return File(
        display_name=customer.display_name,
        phone=customer.phone,
        email=customer.email,
        address=customer.address,
        birth_month=customer.birth_month,
        birth_day=customer.birth_day,
        preferred_channels=tuple(customer.preferred_channels),
        interests=tuple(customer.interests),
        do_not_contact=customer.do_not_contact,
        region=customer.region,
    )


def identity_from(identity: pb.Identity) -> Identity:
    """Who a customer is on one channel."""
    return Identity(identity.channel, identity.external_id.strip())


def customer_to(customer: Customer, identities: Sequence[Identity], tier: str, *, clear: bool = False) -> pb.Customer:
    """A customer, masked unless a grant says otherwise."""
    file = customer.file if clear else customer.file.masked()
    return pb.Customer(
        name=customer.name,
        display_name=file.display_name,
        phone=file.phone,
        email=file.email,
        address=file.address,
        birth_month=file.birth_month,
        birth_day=file.birth_day,
        preferred_channels=file.preferred_channels,
        interests=file.interests,
        do_not_contact=file.do_not_contact,
        state=pb.Customer.State.Value(f"STATE_{customer.state}"),
        merged_into=f"sites/{customer.site}/customers/{customer.merged_into}" if customer.merged_into else "",
        identities=[_identity_to(customer.site, one, clear=clear) for one in identities],
        verified_at=stamp(customer.verified_at),
        verify_due_at=stamp(customer.verify_due_at),
        etag=str(customer.revision),
        tier=tier,
        region=file.region,
    )


def purpose_from(purpose: pb.Purpose.ValueType) -> str:
    """A purpose without its prefix."""
    return pb.Purpose.Name(purpose).removeprefix("PURPOSE_")


def consent_to(consent: Consent) -> pb.Consent:
    """What was said, and when."""
    return pb.Consent(
        purpose=pb.Purpose.Value(f"PURPOSE_{consent.purpose}"),
        channel=consent.channel,
        granted=consent.granted,
        source=consent.source,
        time=stamp(consent.at),
        actor=consent.actor,
    )


def grant_to(grant: Grant, *, reason: str = "") -> pb.UnmaskGrant:
    """A grant. Stored replies have no reason in it: a person's words are in the grant's row alone."""
    return pb.UnmaskGrant(
        name=grant.name,
        state=pb.UnmaskGrant.State.Value(f"STATE_{grant.state}"),
        requester=grant.requester,
        decider=grant.decider,
        reason=reason,
        expires_at=stamp(grant.expires_at),
    )


def line_from(line: orders.OrderLine) -> Line:
    """An order line."""
    return Line(
        order=line.order,
        line=line.line,
        kind=orders.OrderLine.Kind.Name(line.kind).removeprefix("KIND_"),
        buyer=line.buyer,
        at=line.time.ToDatetime(UTC),
        quantity=line.quantity,
        amount=line.amount,
        currency=line.currency,
        product=line.product_name,
        refund_of=line.refund_of,
    )


def order_to(row: Any) -> orders.Order:
    """A row of orders."""
    return orders.Order(
        source=row["source"],
        order=row["order_id"],
        time=stamp(row["first_at"]),
        sales_fen=row["sales_fen"],
        returned_fen=row["returned_fen"],
    )


def lot_to(lot: Lot) -> points.PointLot:
    """A lot with points left."""
    return points.PointLot(
        lot=lot.id,
        active=lot.active,
        pending=lot.pending,
        active_at=stamp(lot.active_at),
        expires_at=stamp(lot.expires_at),
        cause=lot.cause,
    )


def entry_to(row: Any) -> points.PointEntry:
    """A row of point_entries."""
    return points.PointEntry(
        time=stamp(row["at"]),
        from_account=row["from_account"],
        to_account=row["to_account"],
        points=row["points"],
        cause=row["cause"],
        reference=row["reference"],
        lot=row["lot_id"],
    )


def coupon_to(coupon: Coupon, now: datetime) -> points.Coupon:
    """A coupon as it stands now."""
    return points.Coupon(
        name=coupon.name,
        customer=f"sites/{coupon.site}/customers/{coupon.customer}",
        state=points.Coupon.State.Value(f"STATE_{coupon.standing(now)}"),
        value_fen=coupon.value_fen,
        cause=coupon.cause,
        reference=coupon.reference,
        expires_at=stamp(coupon.expires_at),
        used_for=coupon.used_for,
    )


def measures_to(measures: Measures) -> tiers.Measures:
    """What tiers are judged by."""
    return tiers.Measures(
        spend_fen=measures.spend_fen,
        orders=measures.orders,
        active_days=measures.active_days,
        recency_days=measures.recency_days,
    )


def bar_to(bar: Bar, rules: Rules, measures: Measures, cutoff: int | None) -> tiers.Bar:
    """A tier's bar beside what the customer has."""
    return tiers.Bar(
        tier=bar.tier,
        window=rules.windows[bar.window],
        min_spend_fen=max(bar.spend_fen, cutoff or 0) if bar.top_share is not None else bar.spend_fen,
        min_orders=bar.orders,
        min_active_days=bar.active_days,
        measures=measures_to(measures),
        met=bar.met(measures, cutoff),
        max_recency_days=bar.max_recency or 0,
    )


def move_to(row: Any) -> tiers.TierMove:
    """A row of tier_moves."""
    measures = Measures(row["spend_fen"], row["orders"], row["active_days"], row["recency_days"])
    return tiers.TierMove(
        time=stamp(row["at"]),
        from_tier=row["from_tier"],
        to_tier=row["to_tier"],
        cause=row["cause"],
        measures=measures_to(measures),
        profile_version=row["profile_version"],
    )


def _identity_to(site: str, identity: Identity, *, clear: bool) -> pb.Identity:
    shown = identity.external_id if clear else f"{identity.external_id[:2]}{MASK}"
    return pb.Identity(
        channel=identity.channel, external_id=shown, customer=f"sites/{site}/customers/{identity.customer}"
    )
