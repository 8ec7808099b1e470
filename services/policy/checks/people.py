"""Sections about people, customers and crises fit together."""

from __future__ import annotations

from collections.abc import Iterator

from kefu.policy.v1 import cases_pb2, customer_pb2, profile_pb2

from services.policy.faults import Fault


def check(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    """Faults of structure, ladder, rest, approval and tiers."""
    yield from _approver(message)
    ladder = list(message.promotion.ladder)
    if ladder != sorted(ladder):
        yield Fault("promotion.ladder", "does not ascend", "Write the lowest grade first")
    roster = message.roster
    if roster.HasField("legal_floor_h") and roster.legal_floor_h and not roster.HasField("weekly_rest_min_h"):
        yield Fault("roster.weekly_rest_min_h", "is missing beside legal_floor_h", "Write the hours of rest a week")
    for index, pattern in enumerate(roster.shifts):
        path = f"roster.shifts[{index}]"
        if pattern.minutes % 15 or pattern.break_min % 15 or 2 * pattern.break_min > pattern.minutes:
            yield Fault(
                path, "has a length or a break that is not in quarter hours or does not fit", "Write 540 and 60"
            )
        if pattern.to and pattern.to < getattr(pattern, "from"):
            yield Fault(
                path, "ends its starts before they begin", "Write the earliest start in `from`, the latest in `to`"
            )
    yield from _tiers(message.crm)


def _approver(message: profile_pb2.SiteProfile) -> Iterator[Fault]:
    """Approver ≠ author: where one supervisor is everybody, a manager must be there to sign."""
    if not message.HasField("crisis"):
        return
    alone = message.org.supervisors <= 1
    by_supervisor = message.crisis.statement_approver != cases_pb2.APPROVER_MANAGER
    if message.org.managers == 0 and (alone or not by_supervisor):
        reason = "is 0: an author may not approve an own statement, and nobody else could"
        yield Fault("org.managers", reason, "Write how many managers may approve, at least 1")


def _tiers(crm: customer_pb2.CrmPolicy) -> Iterator[Fault]:
    bars = crm.tier_thresholds
    for index in range(1, len(bars)):
        above, below = bars[index - 1], bars[index]
        path = f"crm.tier_thresholds[{index}]"
        if above.tier == below.tier:
            yield Fault(f"{path}.tier", f"{below.tier} stands twice", "Write each tier once")
        elif below.min_spend_yuan > above.min_spend_yuan or below.min_orders > above.min_orders:
            yield Fault(path, f"asks more than {above.tier} above it", "Write the highest tier first")
