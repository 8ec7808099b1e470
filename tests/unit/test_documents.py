"""What the operators' pages name exists: files, links, tests, make targets, `kefu` commands."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from tests.observability.test_runbooks import parse

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "operations"
PAGES = [*sorted(FOLDER.glob("*.md")), ROOT / "SECURITY.md", ROOT / "UPGRADING.md"]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#:]+)\)")
TEST = re.compile(r"test_\w+")
MAKE = re.compile(r"\bmake ([a-z-]+(?: [a-z-]+)*)")
COMMAND = re.compile(r"^    (kefu .+?)(?:  +#.*)?$", re.MULTILINE)


@cache
def named_tests() -> frozenset[str]:
    """The names of every test function."""
    found = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)
    return frozenset(name for file in (ROOT / "tests").rglob("test_*.py") for name in found.findall(file.read_text()))


@cache
def targets() -> frozenset[str]:
    """Every target of the Makefile."""
    return frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands(text: str) -> list[str]:
    """The `kefu` command lines of a page's indented blocks; && separates them."""
    lines = [part.strip() for line in COMMAND.findall(text) for part in line.split("&&")]
    return [line for line in lines if line.startswith("kefu ")]


def faults(text: str, page: Path) -> list[str]:
    """Everything that a page names and that does not exist."""
    found = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    plain = FENCE.sub("", text)
    for code in CODE.findall(plain):
        if re.fullmatch(r"test_\w+", code):
            found += [] if code in named_tests() else [code]
        elif re.fullmatch(r"(tests|services|grafana|charts|protos|docs)(/[\w.-]+)+", code):
            found += [] if (ROOT / code).exists() else [code]
        elif made := MAKE.match(code):
            found += [one for one in made[1].split() if one not in targets()]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_it_names_what_exists(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEFU_DATABASE_URL", "postgresql://localhost/kefu")
    text = page.read_text(encoding="utf-8")
    assert faults(text, page) == []
    for line in commands(text):
        parse(shlex.split(line))


def test_what_does_not_exist_is_found() -> None:
    text = "[a](nowhere.md) `test_nothing_at_all` `tests/nowhere.py` `make nonsense`"
    assert faults(text, FOLDER / "x.md") == ["nowhere.md", "test_nothing_at_all", "tests/nowhere.py", "nonsense"]
    assert commands("    kefu down && kefu up   # both") == ["kefu down", "kefu up"]
