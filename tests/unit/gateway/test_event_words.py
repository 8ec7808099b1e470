"""Whoever subscribes to events at the console reads of each in words."""

from __future__ import annotations

import pytest

from services.gateway.console.pages.integrations import KINDS
from services.gateway.console.texts import texts


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_every_kind_of_event_has_words(language: str) -> None:
    words = texts(language)
    assert all(words(f"event.{kind}") for kind in KINDS)
