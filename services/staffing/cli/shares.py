"""What planners type: percentages and lengths of time."""

from __future__ import annotations

import re
from typing import Any

import click


class Percent(click.ParamType[float]):
    """A percentage, read as a share from 0 to 1."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read "80" or "80%"."""
        text = str(value).strip().removesuffix("%")
        try:
            share = float(text) / 100
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"{value!r} is not a percentage from 0 to 100", param, ctx)
        return share


class Seconds(click.ParamType[float]):
    """A length of time above zero, read as seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read "180", "180s", "15m" or "1h"."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip())
        length = float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]] if found else 0.0
        if length <= 0:
            self.fail(f"{value!r} is not a length of time such as 180, 15m or 1h", param, ctx)
        return length


def percent() -> Percent:
    """The type of a percentage."""
    return Percent()


def seconds() -> Seconds:
    """The type of a length of time."""
    return Seconds()
