"""Solves a benchmark file and writes what was found, with what proves it."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from services.staffing.roster.check.solution import document as read_document
from services.staffing.roster.formats import FORMATS, build
from services.staffing.roster.search.team import Progress, Team


@dataclass(slots=True)
class Run:
    """A search for the rosters of `file`: iterate over `progress`, then `write`."""

    name: str
    file: Path
    workers: int
    seed: int
    seconds: float
    start: Path | None = None
    _team: Team = field(init=False, repr=False)
    _model: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._model = FORMATS[self.name].read(self.file)
        self._team = Team(
            partial(build, self.name, self.file), workers=self.workers, seed=self.seed, seconds=self.seconds
        )

    @property
    def best(self) -> Progress:
        """The best so far."""
        return self._team.best

    def progress(self) -> Generator[Progress, None, None]:
        """Search; each better roster or bound is yielded. Raises ImpossibleError, and ValueError for a bad start."""
        start = None
        if self.start is not None:
            start = FORMATS[self.name].decode(self._model, read_document(self.start)["roster"])
        return self._team.run(start)

    def write(self, to: Path) -> None:
        """Write the best rosters with the prices that prove the bound; there must be some."""
        best, known = self.best, FORMATS[self.name]
        assert best.rosters is not None
        found = {
            "format": self.name,
            "file": self.file.name,
            "objective": best.cost,
            "bound": best.bound if best.prices is not None else None,
            "seconds": round(best.seconds, 1),
            "seed": self.seed,
            "workers": self.workers,
            "roster": known.encode(self._model, best.rosters),
        }
        if best.prices is not None:
            found["certificate"] = known.certificate(self._model, best.prices)
        to.write_text(json.dumps(found) + "\n", encoding="utf-8")
