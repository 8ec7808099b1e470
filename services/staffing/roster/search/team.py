"""Searchers in processes of their own: they share the best rosters, and the caller sees progress."""

from __future__ import annotations

import math
import multiprocessing as mp
import os
import signal
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.staffing.roster.cover import Array
from services.staffing.roster.errors import ImpossibleError
from services.staffing.roster.problem import Problem, Roster
from services.staffing.roster.search.explorer import Explorer

Build = Callable[[], Problem]


STARTING_SECONDS: Final = 120.0
"""Until the first bound at most, where the time counts from it."""


class SearcherLostError(RuntimeError):
    """A searcher's process ended by itself."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a searcher ended with code {code}; its traceback is above (-9: out of memory)")


class RefusedError(ValueError):
    """A given roster breaks a rule."""


@dataclass(slots=True)
class Progress:
    """The best so far. `cells` by person; `prices` prove the `bound`; `seconds` since the start."""

    cost: float = np.inf
    bound: float = -np.inf
    rosters: list[Any] | None = field(default=None, repr=False)
    prices: Array | None = field(default=None, repr=False)
    seconds: float = 0.0

    @property
    def proved(self) -> bool:
        """Whether the rosters are optimal: every weight is whole, so is every objective."""
        return float(np.ceil(self.bound - 1e-6)) >= self.cost


class Team:
    """`workers` searchers on one problem for at most `seconds`; `once_bounded`: from the first bound on.

    That comes once compiled code has loaded and may take its time, but no more than STARTING_SECONDS.
    """

    def __init__(
        self,
        build: Build,
        *,
        workers: int,
        seed: int,
        seconds: float,
        tick: float = math.inf,
        once_bounded: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._build, self._workers, self._seed, self._clock = build, workers, seed, clock
        self._seconds, self._tick, self._once_bounded = seconds, tick, once_bounded
        self.best = Progress()

    def run(self, start: Sequence[tuple[int, Any]] | None = None) -> Generator[Progress, None, None]:
        """Search and yield whenever the best changes, and at least every `tick` seconds.

        Closing the iterator ends the search, `best` stays.

        Raises ImpossibleError when somebody's rules leave no roster, ValueError when one of `start` breaks a rule.
        """
        began, waiting = self._clock(), self._once_bounded
        context = mp.get_context("spawn")
        ends: dict[Connection, mp.process.BaseProcess] = {}
        try:
            for number in range(self._workers):
                here, there = context.Pipe()
                process: mp.process.BaseProcess = context.Process(
                    target=_search, args=(self._build, (self._seed, number), there, start), daemon=True
                )
                process.start()
                there.close()
                ends[here] = process
            while ends and not self.best.proved:
                left = began + self._seconds + (STARTING_SECONDS if waiting else 0) - self._clock()
                if left <= 0:
                    return
                ready = wait(list(ends), timeout=min(left, self._tick))
                if not ready:
                    self.best.seconds = 0.0 if waiting else self._clock() - began
                    yield self.best
                for end in ready:
                    assert isinstance(end, Connection)
                    try:
                        what, value, payload = end.recv()
                    except EOFError:
                        self._gone(ends.pop(end))
                        continue
                    if what == "bound" and waiting:
                        began, waiting = self._clock(), False
                    _refused(what, payload)
                    if what == "ask":
                        # only a searcher that waits is written to: a pipe that nobody reads would hold everybody up
                        end.send(self.best.rosters if self.best.cost < value else None)
                    elif self._take(what, value, payload):
                        self.best.seconds = self._clock() - began
                        yield self.best
        finally:
            self.best.seconds = self._clock() - began
            for end, process in ends.items():
                process.terminate()
                process.join()
                end.close()

    @staticmethod
    def _gone(process: mp.process.BaseProcess) -> None:
        process.join()
        if process.exitcode:
            raise SearcherLostError(process.exitcode)

    def _take(self, what: str, value: float, payload: Any) -> bool:
        if what == "roster" and value < self.best.cost:
            self.best.cost, self.best.rosters = value, payload
        elif what == "bound" and value > self.best.bound:
            self.best.bound, self.best.prices = value, payload
        else:
            return False
        return True


def _refused(what: str, payload: Any) -> None:
    """Raise what a searcher could not work with."""
    if what == "impossible":
        raise ImpossibleError(*payload)
    if what == "refused":
        raise ValueError("a roster to begin with breaks a rule; kefu roster check names it")


def _search(build: Build, seed: tuple[int, int], channel: Connection, start: Sequence[tuple[int, Any]] | None) -> None:
    """A searcher's process: ends with its parent, or when nothing better is possible."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)  # HiGHS greets on standard output, which is the parent's
    problem, parent = build(), os.getppid()
    explorer = Explorer(problem, seed, lambda: os.getppid() != parent, lambda *message: channel.send(message))

    def exchange() -> None:
        channel.send(("ask", explorer.cost, None))
        better = channel.recv()
        if better is not None:
            explorer.accept([_roster(problem, one) for one in better], report=False)

    try:
        if start is not None:
            explorer.accept([_roster(problem, one) for one in start])
        explorer.begin()
        explorer.rounds(exchange)
    except ImpossibleError as error:
        channel.send(("impossible", 0.0, (error.person, error.rules)))
    except RefusedError:
        channel.send(("refused", 0.0, None))
    except (BrokenPipeError, EOFError):
        return


def _roster(problem: Problem, given: tuple[int, Any]) -> Roster:
    kind, cells = given
    found = problem.pricer.roster(kind, cells)
    if found is None:
        raise RefusedError
    return found
