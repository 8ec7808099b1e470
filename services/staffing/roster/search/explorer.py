"""One searcher: bound first, then dives, choices among all rosters seen, and neighbourhoods of the best, in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from services.staffing.roster.cover import Array
from services.staffing.roster.problem import Problem, Roster
from services.staffing.roster.search.dive import dive
from services.staffing.roster.search.generation import Generated, Generation
from services.staffing.roster.search.master import Master
from services.staffing.roster.search.neighbourhood import improve
from services.staffing.roster.search.respond import respond, stir

Report = Callable[[str, float, object], None]

DIVES: Final = 3
"""Dives before each choice among the rosters that they left."""
NEIGHBOURHOODS: Final = 12
"""Neighbourhoods between two rounds of dives."""
ROUGH: Final = 0.01
"""Share of the objective by which the first relaxation and its bound may be apart."""
CHOOSING_SECONDS: Final = 15.0
KNOWN: Final = 25
"""Rosters of a kind that a neighbourhood begins with, those of the least reduced cost."""
RESPONSES: Final = 3
"""Orders in which people respond to each other; the best is kept, all are remembered."""
STIRS: Final = 20
"""Stirrings between two looks at what the other searchers have found."""
POOL: Final = 6_000
"""Rosters among which to choose at most."""


class Explorer:
    """Searches until stopped; `best` is known to the caller through reports and may be replaced by a better one."""

    def __init__(self, problem: Problem, seed: Sequence[int], stop: Callable[[], bool], report: Report) -> None:
        self._problem, self._stop, self._report = problem, stop, report
        self._random = np.random.default_rng(list(seed))
        self._stirs = problem.crowded and seed[-1] % 2 == 1
        self._pool: dict[tuple[int, bytes], Roster] = {}
        self._reduced: dict[tuple[int, bytes], float] = {}
        self._root: Generated | None = None
        self._size = min(6, len(problem.kinds))
        self.best: list[Roster] | None = None
        self.cost = np.inf

    @property
    def proved(self) -> bool:
        """Whether nothing better can be found."""
        return self._root is not None and float(np.ceil(self._root.bound - 1e-6)) >= self.cost

    def accept(self, rosters: Sequence[Roster], *, report: bool = True) -> None:
        """Take rosters for everybody if they are the best so far."""
        cost = self._problem.cost(rosters)
        if cost < self.cost:
            self.best, self.cost = list(rosters), cost
            self._remember(rosters)
            if report:
                self._report("roster", cost, [(one.kind, one.cells) for one in rosters])

    def begin(self) -> None:
        """A first roster, at once or from a rough relaxation, then the bound and the prices that prove it."""
        for _ in range(RESPONSES if self._problem.crowded and self.best is None else 0):
            responded = respond(self._problem, self._random, self._stop)
            if responded is not None:
                self.accept(responded)
        if self._stirs:
            return  # another searcher proves the bound
        master = Master(self._problem)
        master.add([] if self.best is None else self.best)
        generation = Generation(self._problem, master, self._stop)

        def watch(bound: float, prices: Array) -> None:
            self._report("bound", bound, prices)

        rough = generation.run(share=ROUGH, watch=watch)
        if self.best is None:
            first = Master(self._problem)
            first.add(master.rosters)
            enough = max(0.5, ROUGH * rough.relaxed.value)
            found = dive(Generation(self._problem, first, self._stop), self._random, enough=enough)
            master.add(first.rosters)
            if found is not None:
                self.accept(found)
        self._root = generation.run(watch=watch)
        self._remember(master.rosters)

    def rounds(self, exchange: Callable[[], None]) -> None:
        """Search; `exchange` is called between the steps and may bring better rosters."""
        while self._stirs and not self._done():
            for _ in range(STIRS):
                if self._stop():
                    return
                assert self.best is not None
                self.accept(stir(self._problem, self.best, self._random))
            exchange()
        while not self._done():
            for _ in range(DIVES):
                self._dive()
                exchange()
                if self._done():
                    return
            self._choose()
            exchange()
            proofs = 0
            for _ in range(NEIGHBOURHOODS if self.best is not None else 0):
                if self._done():
                    return
                proofs += self._neighbourhood()
                exchange()
            self._resize(proofs / NEIGHBOURHOODS)

    def _done(self) -> bool:
        return self._stop() or self.proved

    def _dive(self) -> None:
        master = Master(self._problem)
        master.add(self._nearest(len(self._problem.kinds) * KNOWN))
        found = dive(Generation(self._problem, master, self._stop), self._random, below=self.cost)
        self._remember(master.rosters)
        if found is not None:
            self.accept(found)

    def _choose(self) -> None:
        if self.best is None or self._root is None:
            return
        master = Master(self._problem)
        master.add(self.best)
        gap = self.cost - self._root.bound
        master.add(one for one in self._nearest(POOL) if self._reduced[one.key] < gap)
        found = master.choose(self.best, seconds=CHOOSING_SECONDS)
        if found is not None:
            self.accept(found)

    def _neighbourhood(self) -> bool:
        assert self.best is not None
        free = {int(one) for one in self._random.choice(len(self.best), self._size, replace=False)}
        kinds = {self.best[position].kind for position in free}
        known = [one for one in self._nearest(len(self._problem.kinds) * KNOWN) if one.kind in kinds]
        found, proof = improve(self._problem, self.best, free, known, self._stop, seconds=3.0)
        if found is not None:
            self.accept(found)
        return proof

    def _resize(self, proved: float) -> None:
        """Larger neighbourhoods while they are proved to hold nothing, smaller ones while they remain open."""
        if proved > 0.6:
            self._size = min(self._size + 1, len(self._problem.kinds))
        elif proved < 0.2:
            self._size = max(self._size - 1, 2)

    def _nearest(self, count: int) -> list[Roster]:
        """Rosters of the least reduced cost at the root."""
        return [self._pool[key] for key in sorted(self._reduced, key=self._reduced.__getitem__)[:count]]

    def _remember(self, rosters: Sequence[Roster]) -> None:
        prices: Array | None = None if self._root is None else self._root.prices
        due = None if self._root is None else self._root.relaxed.due
        for one in rosters:
            if one.key not in self._reduced:
                self._pool[one.key] = one
                if prices is not None and due is not None:
                    self._reduced[one.key] = one.cost + float(prices[one.cells].sum()) - float(due[one.kind])
