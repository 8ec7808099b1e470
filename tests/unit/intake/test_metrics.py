"""The histogram of first responses has an edge at every promise, so that the share kept is exact."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.kit.telemetry.metrics import CATALOGUE, read_catalogue
from services.policy import loader

PROFILES = Path(__file__).parents[3] / "charts" / "kefu" / "profiles"


@pytest.mark.parametrize("file", sorted(PROFILES.glob("*.yaml")), ids=lambda file: file.stem)
def test_an_edge_at_every_promise(file: Path) -> None:
    edges = set(read_catalogue(CATALOGUE)["kefu_intake_first_response_seconds"].buckets)
    profile = loader.load(file).profile
    promised = {float(queue.first_response_s) for queue in profile.queues.values() if queue.first_response_s}
    assert promised <= edges
    assert {30.0, 120.0, 300.0, 600.0, 900.0, 86_400.0} <= edges
