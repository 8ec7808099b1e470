"""`kefu import orders`, `kefu crm audit`, `kefu crm report`, as somebody types them."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.kit.crypto import Keys
from services.kit.db import Database
from tests.integration.crm.conftest import PROFILES

SERVICES = ("crm",)
MAPPING = "order=order,time=at,quantity=pieces,price=price,buyer=buyer"


async def kefu(*arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a command."""
    done = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.cli",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await done.communicate()
    return done.returncode or 0, output.decode(), errors.decode()


async def test_a_history_is_imported_audited_and_reported(
    database: Database, database_urls: dict[str, str], tmp_path: Path
) -> None:
    Keys.create(tmp_path / "sealing.json", "test")
    today = datetime.now(UTC)
    rows = [f"o{n},{(today - timedelta(days=n * 9)).isoformat()},1,250,b{n % 2}" for n in range(20)]
    file = tmp_path / "orders.csv"
    file.write_text("order,at,pieces,price,buyer\n" + "\n".join([*rows, "o99,2099-01-01,1,5,b1"]) + "\n")
    common = ("--database", database_urls["crm"])
    keys = ("--sealing-keys", str(tmp_path / "sealing.json"), "--profiles", str(PROFILES))
    wanted = ("import", "orders", str(file), "--site", "taobao-shop", "--mapping", MAPPING, *keys, *common)
    code, output, errors = await kefu(*wanted, "--bad", str(tmp_path / "bad.csv"))
    assert code == 0, errors
    assert "21 rows: 20 stored, 0 repeated, 1 refused" in output
    assert "TIME_IN_FUTURE" in (tmp_path / "bad.csv").read_text()
    code, output, errors = await kefu(*wanted, "--json")
    assert code == 0, errors
    again: dict[str, Any] = json.loads(output)
    assert (again["stored"], again["refusals"]) == (20, [{"row": 21, "rule": "TIME_IN_FUTURE"}])

    code, output, errors = await kefu("crm", "audit", *common, "--json")
    assert code == 0, errors
    shop, total = json.loads(output)
    assert shop["issued"] == total["issued"] == 20 * 250
    assert shop["balanced"]
    assert total["balanced"]

    report = ("crm", "report", "--site", "taobao-shop", "--profiles", str(PROFILES), *common)
    code, output, errors = await kefu(*report, "--json")
    assert code == 0, errors
    found = json.loads(output)
    assert found["tiers"] == {"CORE": 2}
    assert found["indicators"]["repurchase_rate"]["estimate"] == 1.0
    code, output, errors = await kefu(*report)
    assert code == 0, errors
    assert "repurchase rate" in output

    await database.execute(
        "UPDATE point_lots SET active = active - 1, spent = spent + 1"
        " WHERE lot_id = (SELECT min(lot_id) FROM point_lots WHERE active > 0)"
    )
    code, output, _ = await kefu("crm", "audit", *common)
    assert code == 1
    assert "NO" in output


async def test_what_cannot_be_done_says_what_to_do(database_urls: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("a,b\n")
    wanted = ("import", "orders", str(file), "--site", "taobao-shop", "--database", database_urls["crm"])
    code, _, errors = await kefu(*wanted, "--mapping", "order=a")
    assert code == 1
    assert "the mapping lacks time, quantity, price" in errors
    code, _, errors = await kefu(*wanted, "--mapping", MAPPING, "--sealing-keys", str(tmp_path / "none.json"))
    assert code == 1
    assert "--sealing-keys" in errors
