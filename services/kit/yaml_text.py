"""Plain YAML through libyaml, which PyYAML's wheels hold: with its parser in Python every start of a process waits."""

from __future__ import annotations

from typing import Any

import yaml


def load(text: str) -> Any:
    """The one document of a text, made of plain values; raises yaml.YAMLError."""
    return yaml.load(text, yaml.CSafeLoader)
