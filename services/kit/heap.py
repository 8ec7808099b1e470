"""The garbage collector of a long-running process."""

from __future__ import annotations

import gc
from typing import Final

# Each call leaves a dozen objects in a ring (grpc.aio's look-up of the handler), and a collection stops the process for
# about 2 µs an object: 40 ms at 20,000, which all who wait at that moment see.
_YOUNG_OBJECTS: Final = 2_000


def keep_what_is_there() -> None:
    """Call once all is built: what start-up made stays for good, and need not be looked at again.

    Young objects are looked at often, so that no call waits long for it; old ones as seldom as is good for throughput.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 10, 100)
