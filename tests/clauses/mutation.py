"""Switches settings off, one at a time, and runs the tests tied to each: `KEFU_MUTATE=sla.handoff_s,bot.mode`.

Nothing in services knows of this: the last step of the profiles' loader is replaced, after validation. All settings
share one run of pytest, so that servers start once; a test runs once for each setting that its clauses are bound to.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

import pytest
from kefu.policy.v1 import profile_pb2

from services.policy import catalogue, loader, schema
from services.policy.loader import Version

VARIABLE = "KEFU_MUTATE"


def wanted() -> tuple[str, ...]:
    """The settings to switch off. Raises ValueError for one that does not exist."""
    keys = tuple(key for key in os.environ.get(VARIABLE, "").split(",") if key)
    for key in keys:
        if key not in schema.settings():
            raise ValueError(f"{VARIABLE}={key}: no such setting")
    return keys


def settings_of(clause: str) -> tuple[str, ...]:
    """The settings that a clause is bound to.

    The catalogue names one setting for a clause; where it names none, every setting of the contract that answers to
    the clause counts.
    """
    key = catalogue.clauses()[clause].profile_key
    return (key,) if key else tuple(info.key for info in schema.settings().values() if clause in info.clauses)


def switch_off(message: profile_pb2.SiteProfile, key: str) -> None:
    """Take a setting out of a profile, as if no rule spoke of it."""
    group, name = key.split(".")
    getattr(message, group).ClearField(name)


class Mutating:
    """pytest plugin: each marked test, once without each of the settings that it is tied to; no other test."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._off = ""

    def install(self) -> None:
        """From now on every profile of this process is loaded without the setting of the running test."""
        original = loader.version_of

        def without(message: profile_pb2.SiteProfile, name: str) -> Version:
            if self._off:
                switch_off(message, self._off)
            return original(message, name)

        loader.version_of = without

    @pytest.fixture(autouse=True)
    def switched_off(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """The setting is off while the test and its other fixtures live."""
        self._off = request.param
        yield
        self._off = ""

    @pytest.hookimpl(trylast=True)  # the setting is the last part of a test's id
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Multiply every test by the settings."""
        metafunc.parametrize("switched_off", self._keys, indirect=True)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the settings that a test is tied to."""
        kept = [item for item in items if _tied(item)]
        config.hook.pytest_deselected(items=[item for item in items if not _tied(item)])
        items[:] = kept


def plain(test: str, key: str) -> str:
    """The id of a test that ran without a setting, as it is when nothing is switched off; empty for another setting."""
    for tail, end in ((f"-{key}]", "]"), (f"[{key}]", "")):
        if test.endswith(tail):
            return test.removesuffix(tail) + end
    return ""


def _tied(item: pytest.Item) -> bool:
    names: Iterable[str] = (name for mark in item.iter_markers("clause") for name in mark.args)
    assert isinstance(item, pytest.Function)
    return any(item.callspec.params["switched_off"] in settings_of(name) for name in names)
