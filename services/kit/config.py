"""Configuration: frozen dataclasses read from `KEFU_*` variables and files, checked at start with every fault named.

    @dataclass(frozen=True, slots=True)
    class IntakeConfig:
        listen: str = setting("KEFU_INTAKE_LISTEN", "127.0.0.1:0", help="Address of the gRPC port")
        database: str = setting("KEFU_DATABASE_URL", help="PostgreSQL URL", secret=True)
        grace: float = setting("KEFU_GRACE_SECONDS", 30.0, unit="s", at_least=0, help="Time that running calls get")

    config = load(IntakeConfig, os.environ)

A variable wins over a file, a file over the default. A secret may be given by path: `KEFU_DATABASE_URL_FILE=/run/…`.
A field whose type is a dataclass of settings is read in the same way, so that services share parts.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from services.kit import yaml_text

_KEY: Final = "kefu.setting"
_TRUE: Final = {"1", "true", "yes", "on"}
_FALSE: Final = {"0", "false", "no", "off"}
T = TypeVar("T")


class ConfigError(ValueError):
    """The configuration cannot be used; `faults` has a line for everything that is wrong."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(["the configuration cannot be used:", *(f"  - {fault}" for fault in faults)]))


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of one setting beside its type and default."""

    env: str
    help: str
    unit: str
    secret: bool
    at_least: float | None
    at_most: float | None


def setting(
    env: str,
    default: Any = dataclasses.MISSING,
    *,
    help: str,  # noqa: A002 - the usual word
    unit: str = "",
    secret: bool = False,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Any:
    """A dataclass field read from the variable `env`; without a default it must be set."""
    metadata = {_KEY: Setting(env, help, unit, secret, at_least, at_most)}
    return dataclasses.field(default=default, metadata=metadata)


def absent_services() -> Any:
    """The field that every service has beside its bus: of whom nobody expects anything (`Relay(…, absent=…)`)."""
    words = "Services that this installation does not have, of those in the call list: no event waits for them"
    return setting("KEFU_ABSENT_SERVICES", (), help=words)


def load(cls: type[T], environ: Mapping[str, str], files: Iterable[Path] = ()) -> T:
    """Read `cls` from variables and YAML files of `KEFU_NAME: value`; raises ConfigError with every fault at once."""
    faults: list[str] = []
    values: dict[str, str] = {}
    for file in files:
        values.update(_read_file(file, faults))
    values.update(environ)
    built = _build(cls, values, faults)
    if faults or built is None:
        raise ConfigError(faults)
    return built


def describe(cls: type[Any]) -> list[dict[str, str]]:
    """A row per setting for `kefu check-config` and the docs: env, type, default (of no secret), unit, help."""
    rows = []
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        about = field.metadata.get(_KEY)
        if about is None:
            rows += describe(hints[field.name])
            continue
        required = field.default is dataclasses.MISSING
        default = "(required)" if required else "(secret)" if about.secret else _show(field.default)
        rows.append(
            {
                "env": about.env,
                "type": _type_name(hints[field.name]),
                "default": default,
                "unit": about.unit,
                "help": about.help,
            }
        )
    return rows


def _build(cls: type[T], values: Mapping[str, str], faults: list[str]) -> T | None:
    hints = typing.get_type_hints(cls)
    given: dict[str, Any] = {}
    before = len(faults)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        about: Setting | None = field.metadata.get(_KEY)
        if about is None:
            if not dataclasses.is_dataclass(hints[field.name]):
                raise TypeError(f"{cls.__name__}.{field.name} is neither a setting() nor a dataclass of settings")
            given[field.name] = _build(hints[field.name], values, faults)
            continue
        text = _text(about, values, faults)
        if text is None:
            if field.default is dataclasses.MISSING:
                faults.append(f"{about.env} is not set: {about.help}")
            continue
        try:
            value = _parse(hints[field.name], text)
            _within(about, value)
            given[field.name] = value
        except ValueError as fault:
            shown = "its value" if about.secret else repr(text)
            faults.append(f"{about.env}: {shown} {fault}")
    if len(faults) > before:
        return None
    try:
        return cls(**given)
    except ValueError as fault:
        faults.append(f"{cls.__name__}: {fault}")
        return None


def _text(about: Setting, values: Mapping[str, str], faults: list[str]) -> str | None:
    direct, path = values.get(about.env), values.get(f"{about.env}_FILE")
    if path is None:
        return direct
    if direct is not None:
        faults.append(f"{about.env} and {about.env}_FILE are both set: keep one")
        return None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\n")
    except OSError as fault:
        faults.append(f"{about.env}_FILE: {fault}")
        return ""


def _read_file(file: Path, faults: list[str]) -> Mapping[str, str]:
    try:
        document = yaml_text.load(file.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as fault:
        faults.append(f"{file}: {fault}")
        return {}
    if not isinstance(document, Mapping):
        faults.append(f"{file}: expected lines of `KEFU_NAME: value`")
        return {}
    return {str(key): _show(value) for key, value in document.items()}


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, list | tuple):
        return ",".join(_show(item) for item in value)
    return "" if value is None else str(value)


def _parse(kind: Any, text: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        inner = [part for part in typing.get_args(kind) if part is not types.NoneType]
        return None if text == "" else _parse(inner[0], text)
    if origin is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_parse(item, part.strip()) for part in text.split(",") if part.strip())
    if kind is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError("is neither true nor false")
        return text.lower() in _TRUE
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            raise ValueError("is no whole number" if kind is int else "is no number") from None
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"is none of {', '.join(str(one.value) for one in kind)}") from None
    if text == "":
        raise ValueError("is empty")
    return kind(text)


def _within(about: Setting, value: Any) -> None:
    unit = f" {about.unit}" if about.unit else ""
    if about.at_least is not None and value is not None and value < about.at_least:
        raise ValueError(f"is below {about.at_least:g}{unit}")
    if about.at_most is not None and value is not None and value > about.at_most:
        raise ValueError(f"is above {about.at_most:g}{unit}")


def _type_name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and typing.get_origin(kind) is None else str(kind)
