"""The garbage collector of a long-running process, and of one that takes a file over."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import Final

# Each call leaves a dozen objects in a ring (grpc.aio's look-up of the handler), and a collection stops the process for
# about 2 µs an object: 40 ms at 20,000, which all who wait at that moment see.
_YOUNG_OBJECTS: Final = 2_000
_YOUNG_ROWS: Final = 1_000_000


def keep_what_is_there() -> None:
    """Call once all is built: what start-up made stays for good, and need not be looked at again.

    Young objects are looked at often, so that no call waits long for it; old ones as seldom as is good for throughput.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 10, 100)


@contextlib.contextmanager
def for_rows() -> Iterator[None]:
    """While a file's rows are read by the million: they hold no cycles, and looking for some among them takes half the
    time of reading them."""
    before = gc.get_threshold()
    gc.set_threshold(_YOUNG_ROWS, 10, 10)
    try:
        yield
    finally:
        gc.set_threshold(*before)
