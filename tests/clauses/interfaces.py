"""Counts calls through Kefu's public interfaces, so that a clause is only shown by a test that went through one.

gRPC through the kit's client, HTTP through httpx or Flask's test client, a page opened in a browser, the command line.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click.testing
import httpx
import werkzeug.test
from playwright import async_api, sync_api

from services.kit.client.outgoing import OutgoingMethod

ENTRANCES: tuple[tuple[type, str], ...] = (
    (OutgoingMethod, "begin"),
    (httpx.Client, "send"),
    (httpx.AsyncClient, "send"),
    (werkzeug.test.Client, "open"),
    (sync_api.Page, "goto"),
    (async_api.Page, "goto"),
    (click.testing.CliRunner, "invoke"),
)


class Calls:
    """How many calls went out since `reset`."""

    def __init__(self) -> None:
        self.count = 0
        self._originals: list[tuple[type, str, Any]] = []

    def reset(self) -> None:
        """Begin to count for the next test."""
        self.count = 0

    def install(self) -> None:
        """Watch every entrance."""
        for owner, name in ENTRANCES:
            original = getattr(owner, name)
            self._originals.append((owner, name, original))
            setattr(owner, name, self._counting(original))

    def remove(self) -> None:
        """Leave every entrance as it was."""
        for owner, name, original in self._originals:
            setattr(owner, name, original)
        self._originals.clear()

    def _counting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def entrance(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            return original(*arguments, **options)

        return entrance
