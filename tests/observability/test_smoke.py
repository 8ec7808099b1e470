"""`kefu smoke`, which `helm test` runs in a cluster, against a stack on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from services.stack.processes import SIMULATOR, console_url, targets
from tests.observability.stack import SITE, Stack


def smoke(stack: Stack, **settings: str) -> tuple[int, dict[str, Any]]:
    """Exit code, and what was found by name."""
    home = stack.home
    environment = os.environ | {
        "KEFU_GATEWAY_URL": console_url(home),
        "KEFU_STREAM_URL": f"http://{home.address('stream')}",
        "KEFU_PUBLIC_URL": console_url(home),
        "KEFU_HEALTH_TARGETS": targets(home),
        "KEFU_SMOKE_SITE": SITE,
        **settings,
    }
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "smoke", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, {row["name"]: row for row in json.loads(done.stdout)}


def test_a_stranger_finds_everything_well_and_the_gateway_asks_who_they_are(whole_stack: Stack) -> None:
    code, found = smoke(whole_stack)
    assert code == 0, found
    assert list(found) == ["intake", "staffing", "crm", "qa", "gateway", "stream", f"wallboard of {SITE}"]


def test_a_service_account_reads_a_wallboard(whole_stack: Stack) -> None:
    account = {"KEFU_CLIENT_ID": SIMULATOR, "KEFU_CLIENT_SECRET": whole_stack.home.secret("simulator-client")}
    code, found = smoke(whole_stack, **account)
    assert code == 0, found
    code, found = smoke(whole_stack, **account | {"KEFU_CLIENT_SECRET": "wrong"})
    assert code == 1
    assert "no token" in found[f"wallboard of {SITE}"]["words"]


def test_what_does_not_answer_is_named(whole_stack: Stack) -> None:
    code, found = smoke(whole_stack, KEFU_HEALTH_TARGETS="intake=127.0.0.1:1", KEFU_STREAM_URL="http://127.0.0.1:1")
    assert code == 1
    assert [name for name, row in found.items() if not row["well"]] == ["intake", "stream"]
