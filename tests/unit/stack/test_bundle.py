from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from services.kit.crypto import Keys
from services.kit.keys import new_key_pair
from services.stack import bundle
from services.stack.home import Home

PERSONAL = ["王芳", "13800138000", "wang.fang@example.com", "我的订单在哪里"]
LINES = [
    {"time": "t", "level": "INFO", "message": "serving", "service": "intake", "customer_name": "Wang Fang"},
    {
        "time": "t",
        "level": "ERROR",
        "message": "refused 王芳",
        "text": "我的订单在哪里",
        "traceback": "call 13800138000",
    },
    {"time": "t", "level": "INFO", "message": "wang.fang@example.com", "url": "postgresql://u:pw123456@h/db"},
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "stack", 39_100)
    found.logs.mkdir(parents=True)
    new_key_pair(found.keys, "local-1")
    Keys.create(found.sealing_keys, "local-1")
    found.secret("gateway-secret")
    found.secret("password-admin")
    lines = [json.dumps(line, ensure_ascii=False) for line in LINES]
    lines += [f"plain text with {found.secret('password-admin')} and {found.secret('password-admin')[:16]}"]
    lines += ["Authorization: Bearer eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", found.sealing_keys.read_text()]
    lines += (found.keys / "local-1.key").read_text().splitlines()
    (found.logs / "intake.log").write_text("\n".join(lines))
    return found


def contents(archive: Path) -> str:
    with tarfile.open(archive) as opened:
        return "\n".join(
            found.read().decode() for entry in opened.getmembers() if (found := opened.extractfile(entry)) is not None
        )


def test_nothing_personal_and_no_secret_is_inside(home: Home, tmp_path: Path) -> None:
    text = contents(bundle.write(home, tmp_path / "bundle.tar.gz"))
    secrets = json.loads((home.folder / "secrets.json").read_text()).values()
    key_lines = [line for line in (home.keys / "local-1.key").read_text().splitlines() if "PRIVATE" not in line]
    sealing = json.loads(home.sealing_keys.read_text())
    planted = [*PERSONAL, "Wang Fang", "pw123456", *secrets, *(secret[:16] for secret in secrets), *key_lines]
    planted += [sealing["index"], *sealing["keys"].values(), "eyJzdWIiOiJ4In0"]
    assert [one for one in planted if one in text] == []


def test_what_helps_is_inside(home: Home, tmp_path: Path) -> None:
    archive = bundle.write(home, tmp_path / "bundle.tar.gz")
    text = contents(archive)
    assert '"message": "serving"' in text
    assert '"python"' in text
    assert '"topic": "disk"' in text
    assert archive.stat().st_mode & 0o077 == 0
