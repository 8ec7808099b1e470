"""The garbage collector of a long-running process."""

from __future__ import annotations

import gc
from typing import Final

_YOUNG_OBJECTS: Final = 20_000


def keep_what_is_there() -> None:
    """Call once all is built: what start-up made stays for good, and need not be looked at again.

    A call makes dozens of short-lived objects and hardly a cycle, so that looking less often gives back a tenth of its
    CPU time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)
