"""Sizes cells with pyworkforce, in an interpreter that has it: reads [[contacts, seconds], …], writes people and CPU s.

It pins an OR-Tools older than ours, so that the benchmark runs it in an environment of its own.
"""

from __future__ import annotations

import json
import sys
import time

from pyworkforce.queuing import ErlangC


def people(contacts: float, handling: float) -> int:
    """People for 80/20 and an occupancy of at most 85 % in a quarter of an hour."""
    calls = ErlangC(transactions=contacts, aht=handling / 60, asa=20 / 60, interval=15)
    return int(calls.required_positions(service_level=0.8, max_occupancy=0.85)["raw_positions"])


def main() -> None:
    """Size what stands on standard input."""
    cells = json.load(sys.stdin)
    began = time.process_time()
    found = [people(*cell) for cell in cells]
    json.dump({"people": found, "seconds": time.process_time() - began}, sys.stdout)


if __name__ == "__main__":
    main()
