"""How tests are dealt to the workers of a run: a file goes to one worker, and so does a ring that shares a whole stack.

The longest rings come first, so that the short files fill both workers to the end.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

SHARED = ("tests/browser", "tests/observability", "tests/integration/gateway")
FIRST = (*SHARED, "tests/system", "tests/faults", "tests/unit/staffing/roster", "tests/charts")


class ByStack(LoadScopeScheduling):  # type: ignore[misc]
    """Deals out files, and rings that share a stack whole."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", maxsplit=1)[0]
        return next((ring for ring in SHARED if file.startswith(f"{ring}/")), file)


def rank(item: pytest.Item) -> int:
    """Where a test stands in the order of a run."""
    place = item.path.relative_to(item.config.rootpath).as_posix()
    return next((at for at, ring in enumerate(FIRST) if place.startswith(f"{ring}/")), len(FIRST))
