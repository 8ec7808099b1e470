"""One replayed day from beginning to end: a throwaway stack, the engine, the checker, the report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import uvloop

from services.policy.profile import Profile
from services.policy.versions import Profiles, SiteUnknownError
from services.simulate import checker
from services.simulate import day as days
from services.simulate import report as reports
from services.simulate.calllog import CallLog
from services.simulate.checker import Rules
from services.simulate.day import Day
from services.simulate.desk import Desk
from services.simulate.engine import Engine, Outcome
from services.simulate.patience import Patience
from services.simulate.record import record
from services.simulate.report import DayReport
from services.simulate.tokens import StackTokens
from services.stack.home import StackError
from services.stack.processes import PROFILES
from services.stack.throwaway import Throwaway, throwaway

SAMPLE_SECONDS = 30.0


def replay(
    log: CallLog,
    on: date,
    *,
    site: str,
    seed: int,
    profiles: Path = PROFILES,
    patience: Patience | None = None,
    until: int | None = None,
) -> DayReport:
    """Replay one day of a log at a site and put the outcome beside the log.

    `until` (seconds after midnight) leaves out what comes later: for tests. Raises StackError for a site without
    profile that day, or a day without calls.
    """
    profile = _profile(profiles, site, on)
    script = days.script(_until(log, until), on, profile, seed=seed, patience=patience)
    if not script.callers:
        raise StackError(f"the log has no calls on {on}; it has {', '.join(map(str, log.days))}")
    midnight = datetime(on.year, on.month, on.day, tzinfo=profile.timezone).astimezone(UTC)
    began = time.monotonic()
    with throwaway(midnight, profiles=profiles) as stack, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome, faults, checked, transfers = runner.run(_play(stack, script, profile, midnight))
    return reports.compare(
        script,
        outcome,
        site=site,
        seed=seed,
        target_s=_target(profile),
        faults=faults,
        checked=checked,
        transfers=transfers,
        seconds=time.monotonic() - began,
    )


async def _play(
    stack: Throwaway, script: Day, profile: Profile, midnight: datetime
) -> tuple[Outcome, list[checker.Fault], dict[str, int], int]:
    tokens = StackTokens(stack.home.keys)
    async with Desk(
        intake=stack.addresses["intake"], staffing=stack.addresses["staffing"], site=profile.site, tokens=tokens
    ) as desk:
        for shift in script.shifts:
            await desk.hire(shift.person, days.skills(profile, shift), capacity=1)
        outcome = await Engine(desk, script, midnight).run()
        # every promise and every rating window has ended by then
        window = profile.closing.rating_window_s or 0
        await desk.advance(midnight + timedelta(days=2, seconds=window))
        rules = Rules(profile.sla.warn_fractions, profile.closing.rating_window_s)
        seen = await record(
            desk,
            stack.urls["intake"],
            sent=fates(outcome),
            capacity={shift.person: 1 for shift in script.shifts},
        )
        whole = await desk.report(midnight, midnight + timedelta(days=2))
    return outcome, checker.check(seen, rules), checker.counts(seen, rules), whole.total.transfers


def fates(outcome: Outcome) -> Mapping[str, str]:
    """What the client was told of each call."""
    return {key: line.end.value for key, line in outcome.lines.items()}


def _profile(folder: Path, site: str, on: date) -> Profile:
    known = Profiles(folder).current
    try:
        return known.at(site, datetime(on.year, on.month, on.day, 12, tzinfo=UTC))
    except SiteUnknownError as unknown:
        raise StackError(f"{unknown}; sites: {', '.join(known.sites)}") from unknown


def _target(profile: Profile) -> float:
    """The first-response promise of the site's queues, the shortest where they differ."""
    promised = [float(queue.first_response_s) for queue in profile.queues.values() if queue.first_response_s]
    return min(promised, default=SAMPLE_SECONDS)


def _until(log: CallLog, until: int | None) -> CallLog:
    if until is None:
        return log
    kept = tuple(call for call in log.calls if call.arrival < until and call.service_start + call.service < until)
    return CallLog(kept, log.malformed)
