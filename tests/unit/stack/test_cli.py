from __future__ import annotations

import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from services.cli import LAZY, SECTIONS, SHORT, cli


def test_every_command_is_listed_imported_lazily_and_teaches_with_an_example() -> None:
    assert set(LAZY) == set(SHORT) == {name for names in SECTIONS.values() for name in names}
    for name in LAZY:
        shown = CliRunner().invoke(cli, [name, "--help"])
        assert shown.exit_code == 0, shown.output
        assert "Usage: " in shown.output


def test_help_imports_no_service() -> None:
    code = (
        "import sys; sys.argv = ['kefu', '--help']\n"
        "from services.cli import cli\n"
        "try: cli()\nexcept SystemExit: pass\n"
        "heavy = {'grpc', 'asyncpg', 'flask', 'nats', 'services.kit.server'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Exit codes" in done.stdout
    assert time.monotonic() - began < 30  # a bound against hanging; its speed is that nothing is imported


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "nonsense"], "Invalid value"),
        (["parked", "retry", "intake"], "name CONSUMER and ITEM"),
        (["simulate", "--site", "x"], "Missing option '--calls'"),
    ],
)
def test_wrong_usage_is_explained_with_exit_code_2(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2
    assert words in done.output


def test_check_config_names_every_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEFU_DATABASE_CONNECTIONS", "none")
    done = CliRunner().invoke(cli, ["check-config", "staffing"])
    assert done.exit_code == 1
    for fault in ("KEFU_DATABASE_URL is not set", "KEFU_PROFILES is not set", "KEFU_DATABASE_CONNECTIONS"):
        assert fault in done.output


def test_a_status_without_a_stack_says_so_with_exit_code_3(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("KEFU_HOME", f"{tmp_path}/none")
    done = CliRunner().invoke(cli, ["status"])
    assert done.exit_code == 3
    assert "kefu up" in done.output
