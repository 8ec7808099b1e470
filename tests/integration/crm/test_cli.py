"""`kefu import orders`, `kefu crm audit`, `kefu crm report`, as somebody types them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli import cli
from services.kit.crypto import Keys
from services.kit.db import Database
from tests.integration.crm.conftest import PROFILES

SERVICES = ("crm",)
MAPPING = "order=order,time=at,quantity=pieces,price=price,buyer=buyer"


async def kefu(*arguments: str) -> Result:
    """Run a command. It has an event loop of its own, so it gets a thread."""
    return await asyncio.to_thread(CliRunner().invoke, cli, arguments)


@pytest.mark.clause("TAOBAO-4-1.1", "TAOBAO-4-5.1.2-1", "TAOBAO-4-5.1.2-2", "TAOBAO-4-5.1.3")
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
    done = await kefu(*wanted, "--bad", str(tmp_path / "bad.csv"))
    assert done.exit_code == 0, done.output
    assert "21 rows: 20 stored, 0 repeated, 1 refused" in done.output
    assert "TIME_IN_FUTURE" in (tmp_path / "bad.csv").read_text()
    done = await kefu(*wanted, "--json")
    assert done.exit_code == 0, done.output
    again: dict[str, Any] = json.loads(done.stdout)
    assert (again["stored"], again["refusals"]) == (20, [{"row": 21, "rule": "TIME_IN_FUTURE"}])

    done = await kefu("crm", "audit", *common, "--json")
    assert done.exit_code == 0, done.output
    shop, total = json.loads(done.stdout)
    assert shop["issued"] == total["issued"] == 20 * 250
    assert shop["balanced"]
    assert total["balanced"]

    report = ("crm", "report", "--site", "taobao-shop", "--profiles", str(PROFILES), *common)
    done = await kefu(*report, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["tiers"] == {"CORE": 2}
    assert found["indicators"]["repurchase_rate"]["estimate"] == 1.0
    done = await kefu(*report)
    assert done.exit_code == 0, done.output
    assert "repurchase rate" in done.output
    done = await kefu(*report, "--to", "2020-12-31", "--json")  # nobody had bought yet, and nobody moved
    assert (json.loads(done.stdout)["moves"], json.loads(done.stdout)["indicators"]["repurchase_rate"]) == ([], None)
    done = await kefu(*report, "--to", "2020-12-31")
    assert "nobody in the period" in done.output
    done = await kefu(*report, "--from", "2021-01-01", "--to", "2020-12-31")
    assert done.exit_code == 1
    assert "before it begins on 2021-01-01" in str(done.exception)

    await database.execute(
        "UPDATE point_lots SET active = active - 1, spent = spent + 1"
        " WHERE lot_id = (SELECT min(lot_id) FROM point_lots WHERE active > 0)"
    )
    done = await kefu("crm", "audit", *common)
    assert done.exit_code == 1
    assert "NO" in done.output


async def test_what_cannot_be_done_says_what_to_do(database_urls: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("a,b\n")
    wanted = ("import", "orders", str(file), "--site", "taobao-shop", "--database", database_urls["crm"])
    done = await kefu(*wanted, "--mapping", "order=a")
    assert done.exit_code == 1
    assert "the mapping lacks time, quantity, price" in str(done.exception)
    done = await kefu(*wanted, "--mapping", MAPPING, "--sealing-keys", str(tmp_path / "none.json"))
    assert done.exit_code == 1
    assert "--sealing-keys" in str(done.exception)
