"""Each alert has a runbook in both languages with the same commands, and the commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from grafana import rules
from services.cli import cli
from tests.observability import promql

FOLDER = Path(__file__).resolve().parents[2] / rules.RUNBOOKS
HEADINGS = {
    "en": ["Meaning", "Impact", "Diagnosis", "Mitigation"],
    "zh-CN": ["含义", "影响", "诊断", "处置"],
}
BLOCK = re.compile(r"^```(sh|promql)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ALERTS = sorted({*rules.read()["alerts"], *(slo["alert"] for slo in rules.read()["slos"].values())})
FILES = [FOLDER / language / f"{alert}.md" for language in HEADINGS for alert in ALERTS]


def blocks(path: Path) -> list[tuple[str, str]]:
    """Language and text of each block of code."""
    return BLOCK.findall(path.read_text(encoding="utf-8"))


def test_there_is_one_for_each_alert_and_no_other() -> None:
    assert sorted(FOLDER.rglob("*.md")) == sorted(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_it_has_the_four_parts_and_its_commands_run(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS[path.parent.name]
    assert blocks(path)
    for kind, code in blocks(path):
        if kind == "promql":
            assert promql.faults(code) == []
        else:
            for line in code.splitlines():
                parse(shlex.split(line))


@pytest.mark.parametrize("alert", ALERTS)
def test_both_languages_give_the_same_commands(alert: str) -> None:
    assert blocks(FOLDER / "en" / f"{alert}.md") == blocks(FOLDER / "zh-CN" / f"{alert}.md")


@pytest.mark.parametrize("line", ["kefu mend intake", "kefu parked list nobody", "kefu status --loud"])
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(shlex.split(line))


def parse(words: list[str]) -> None:
    """Parse a command line as the program does, without running it. Raises click.UsageError."""
    assert words[0] == "kefu"
    command: click.Command = cli
    context = click.Context(cli, info_name="kefu")
    rest = words[1:]
    while isinstance(command, click.Group):
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
        if not isinstance(command, click.Group):
            command.make_context(command.name, rest, parent=context)
        else:
            context = click.Context(command, info_name=command.name, parent=context)
