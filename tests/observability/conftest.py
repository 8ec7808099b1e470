"""One stack for every test of observability, with a day's work done on it once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.observability.stack import Stack, running
from tests.observability.traffic import Done, drive


@pytest.fixture(scope="session")
def whole_stack(scratch: Path) -> Iterator[Stack]:
    """Every process of a stack."""
    with running(scratch / "observability") as stack:
        yield stack


@pytest.fixture(scope="session")
def done(whole_stack: Stack) -> Done:
    """What was done on the stack."""
    return drive(whole_stack)
