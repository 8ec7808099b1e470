"""The TypeScript client: follows from the contracts, and type-checks together with what a frontend writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.gateway.console.vendor import npm
from services.gateway.openapi.client import PACKAGE, TYPES, generate, type_check


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_committed_client_is_what_the_contracts_say_and_compiles(tmp_path: Path) -> None:
    try:
        npm()
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    fresh = generate(tmp_path)
    assert fresh.read_text() == (PACKAGE / TYPES).read_text(), "run `python -m services.gateway.openapi.client`"
    type_check(tmp_path)
