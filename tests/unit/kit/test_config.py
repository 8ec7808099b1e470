"""Configuration from variables and files, with every fault named at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest

from services.kit.config import ConfigError, describe, load, setting
from services.kit.server import ServerConfig


class Mode(StrEnum):
    REAL = "real"
    VIRTUAL = "virtual"


@dataclass(frozen=True, slots=True)
class Part:
    size: int = setting("KEFU_SIZE", 10, unit="connections", at_least=1, at_most=100, help="How many")


@dataclass(frozen=True, slots=True)
class Config:
    part: Part
    url: str = setting("KEFU_URL", secret=True, help="Where the database is")
    grace: float = setting("KEFU_GRACE_SECONDS", 2.5, unit="s", help="How long")
    mode: Mode = setting("KEFU_MODE", Mode.REAL, help="Which clock")
    on: bool = setting("KEFU_ON", False, help="Whether")
    names: tuple[str, ...] = setting("KEFU_NAMES", (), help="Which ones")
    folder: Path | None = setting("KEFU_FOLDER", None, help="Where")


def test_defaults_and_variables() -> None:
    config = load(
        Config, {"KEFU_URL": "u", "KEFU_NAMES": "a, b,", "KEFU_ON": "Yes", "KEFU_FOLDER": "/x", "KEFU_SIZE": "7"}
    )
    assert config == Config(
        part=Part(7), url="u", grace=2.5, mode=Mode.REAL, on=True, names=("a", "b"), folder=Path("/x")
    )


def test_variable_wins_over_file_over_default(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("KEFU_URL: one\nKEFU_SIZE: 2\nKEFU_ON: true\nKEFU_NAMES: [a, b]\n")
    second.write_text("KEFU_SIZE: 3\nKEFU_GRACE_SECONDS: 1.5\n")
    config = load(Config, {"KEFU_GRACE_SECONDS": "9"}, [first, second])
    assert (config.url, config.part.size, config.grace, config.on, config.names) == ("one", 3, 9.0, True, ("a", "b"))


def test_secret_by_path(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("postgresql://…\n")
    assert load(Config, {"KEFU_URL_FILE": str(file)}).url == "postgresql://…"


def test_every_fault_at_once(tmp_path: Path) -> None:
    environ = {
        "KEFU_SIZE": "1000",
        "KEFU_GRACE_SECONDS": "long",
        "KEFU_MODE": "fast",
        "KEFU_ON": "maybe",
        "KEFU_URL_FILE": str(tmp_path / "missing"),
    }
    with pytest.raises(ConfigError) as caught:
        load(Config, environ)
    faults = "\n".join(caught.value.faults)
    assert "KEFU_SIZE: '1000' is above 100 connections" in faults
    assert "KEFU_GRACE_SECONDS: 'long' is no number" in faults
    assert "KEFU_MODE: 'fast' is none of real, virtual" in faults
    assert "KEFU_ON: 'maybe' is neither true nor false" in faults
    assert "missing" in faults


def test_missing_is_said_with_what_it_is_for() -> None:
    with pytest.raises(ConfigError, match="KEFU_URL is not set: Where the database is"):
        load(Config, {})


def test_both_ways_of_giving_a_secret_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keep one"):
        load(Config, {"KEFU_URL": "u", "KEFU_URL_FILE": str(tmp_path / "f")})


@dataclass(frozen=True, slots=True)
class SecretNumber:
    pin: int = setting("KEFU_PIN", secret=True, help="A number that nobody may see")


def test_secret_is_never_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        load(SecretNumber, {"KEFU_PIN": "hunter2"})
    assert "hunter2" not in str(caught.value)
    assert "KEFU_PIN: its value is no whole number" in str(caught.value)


@pytest.mark.parametrize("text", ["- a\n- b\n", ":\n  - ["])
def test_bad_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kefu.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"kefu\.yaml"):
        load(Config, {"KEFU_URL": "u"}, [file])


def test_check_across_settings() -> None:
    with pytest.raises(ConfigError, match="belong together"):
        load(ServerConfig, {"KEFU_TLS_KEY": "/k"})


def test_describe() -> None:
    rows = {row["env"]: row for row in describe(Config)}
    assert rows["KEFU_URL"]["default"] == "(required)"
    assert rows["KEFU_SIZE"] == {
        "env": "KEFU_SIZE",
        "type": "int",
        "default": "10",
        "unit": "connections",
        "help": "How many",
    }
    assert rows["KEFU_MODE"]["default"] == "real"
