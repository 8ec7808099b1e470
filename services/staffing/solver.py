"""Works on roster runs: takes one under a lease, searches in processes of its own, keeps the best, has it checked."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from contextlib import closing, suppress
from functools import partial
from typing import Any, Final

import asyncpg

from services.kit.db import Database
from services.kit.errors import KefuError
from services.kit.timers import Dispatcher
from services.staffing.commands.rosters import QUEUED, WATCHED
from services.staffing.store import rosters as store

TICK_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 2.0
log = logging.getLogger(__name__)


class LeaseLostError(RuntimeError):
    """Another worker has the run now, or it was ended by hand."""


class Solver:
    """Background work of the solver's process; any number may run."""

    def __init__(self, database: Database, *, workers: int) -> None:
        self._database, self._workers = database, workers
        self.dispatcher = Dispatcher(database, {})

    async def run(self) -> None:
        """Work until cancelled. Survives the database's absence."""
        wake = self._database.hints.subscribe(QUEUED)
        while True:
            wake.clear()
            try:
                if await self.step():
                    continue
            except KefuError as error:  # the database is away: runs wait
                log.warning("roster runs wait", extra={"reason": error.reason_name})
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await wake.wait()

    async def step(self) -> bool:
        """Take the oldest open run and finish it; whether there was one."""
        token = self._database.new_id()
        async with self._database.transaction() as tx:
            row = await store.claim(tx, token)
            tx.hint(WATCHED)
        if row is None:
            return False
        key = (row["site"], row["run_id"], token)
        try:
            state, verdict = await self._search(row, key)
            await self._end(key, state, verdict, "")
        except LeaseLostError:
            log.warning("the lease of a roster run was lost", extra={"run": row["run_id"]})
        except asyncio.CancelledError:
            await asyncio.shield(self._release(key))
            raise
        except KefuError:
            raise  # the database's fault, not the run's: whoever takes it next goes on
        except Exception as error:  # whatever it was, it would be so again with the next worker
            log.exception("a roster run failed", extra={"run": row["run_id"]})
            await self._end(key, "FAILED", None, str(error)[:500])
        return True

    async def _search(self, row: asyncpg.Record, key: tuple[str, str, str]) -> tuple[str, dict[str, Any]]:
        # numba and HiGHS are half of the process; they come with the first run
        from services.staffing.roster.search.team import Team
        from services.staffing.roster.site import document, prepare

        prepared = await asyncio.to_thread(prepare.prepare, row["problem"])
        if prepared.given_up:
            async with self._database.transaction(sites=[key[0]]) as tx:
                await store.keep_problem(tx, key, prepared.raw)
        before = json.loads(row["best"])["roster"] if row["best"] else {}
        cost, start = await asyncio.to_thread(prepare.begin, prepared.week, row["seed"], before)
        team = Team(
            partial(prepare.problem, prepared.raw),
            workers=self._workers,
            seed=row["seed"],
            seconds=row["seconds"],
            tick=TICK_SECONDS,
            once_bounded=True,
        )
        team.best.cost, team.best.rosters = cost, start

        def solution() -> dict[str, Any]:
            best = team.best
            assert best.rosters is not None  # the search began with some
            roster = document.encode(prepared.week, best.rosters)
            made: dict[str, Any] = {"objective": best.cost, "seed": row["seed"], "roster": roster}
            if best.prices is not None:
                made["certificate"] = document.certificate(prepared.week, best.prices)
            return made

        cancelled = await self._follow(team, start, key, solution)
        verdict = await asyncio.to_thread(judge, json.loads(prepared.raw), solution())
        verdict |= {"conflicts": prepared.conflicts, "given_up": prepared.given_up}
        return ("CANCELLED" if cancelled else "SUCCEEDED"), verdict

    async def _follow(self, team: Any, start: Any, key: tuple[str, str, str], solution: Any) -> bool:
        """Keep what the searchers find about once a second; whether somebody asked to end. Raises LeaseLostError."""
        kept, said, now = -math.inf, math.inf, asyncio.get_running_loop().time
        with closing(team.run(start)) as steps:
            while True:
                step = await asyncio.to_thread(next, steps, None)
                best = team.best
                if step is not None and now() - kept < TICK_SECONDS and not best.proved:
                    continue
                better = json.dumps(solution()) if best.cost < said else None
                async with self._database.transaction(sites=[key[0]]) as tx:
                    bound = float(best.bound) if math.isfinite(best.bound) else None
                    asked = await store.progress(tx, key, int(best.cost), bound, float(best.seconds), better)
                    tx.hint(WATCHED)
                if asked is None:
                    raise LeaseLostError
                kept, said = now(), best.cost
                if step is None or asked:
                    return bool(asked and step is not None)

    async def _end(self, key: tuple[str, str, str], state: str, verdict: dict[str, Any] | None, fault: str) -> None:
        async with self._database.transaction(sites=[key[0]]) as tx:
            await store.end(tx, key, state, json.dumps(verdict) if verdict else None, fault)
            tx.hint(WATCHED)

    async def _release(self, key: tuple[str, str, str]) -> None:
        async with self._database.transaction(sites=[key[0]]) as tx:
            await store.release(tx, key)


def judge(problem: dict[str, Any], solution: dict[str, Any]) -> dict[str, Any]:
    """What the independent checker says of a solution, as it is kept."""
    from services.staffing.roster.check.judge import judge_site
    from services.staffing.roster.check.site import works
    from services.staffing.roster.check.why import shortfalls

    verdict = judge_site(problem, solution)
    return {
        "costs": dict(verdict.objective),
        "broken": list(verdict.broken),
        "certified": not verdict.broken and verdict.proved is not None,
        "bound": verdict.bound,
        "shortfalls": shortfalls(problem, works(solution["roster"])),
    }
