"""Segments between the builder's form, the contract's JSON and words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from services.gateway.console.texts import Texts

# Field → what it holds, as crm knows them.
FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tier": "WORD",
        "lifecycle": "WORD",
        "spend_yuan": "NUMBER",
        "orders": "NUMBER",
        "days_since_purchase": "NUMBER",
        "days_since_contact": "NUMBER",
        "p_alive": "NUMBER",
        "points": "NUMBER",
        "complaints": "NUMBER",
        "birthday_month": "NUMBER",
        "member": "FLAG",
        "channel": "WORD",
        "interests": "WORDS",
    }
)
ROWS: Final = 4
_SEPARATORS: Final = re.compile(r"[,，、;；\s]+")
_JOINED: Final = ("all", "any")


def read(joined: str, fields: Sequence[str], tests: Sequence[str], values: Sequence[str]) -> dict[str, Any]:
    """The segment of a filled form; rows without a field are left out. crm judges what makes no sense."""
    rows = zip(fields, tests, values, strict=False)
    found = [_condition(field, test, value.strip()) for field, test, value in rows if field in FIELDS]
    return {joined if joined in _JOINED else "all": found}


def in_words(segment: Mapping[str, Any], t: Texts) -> str:
    """What a segment asks for."""
    if "not" in segment:
        return t("segment.not", what=in_words(segment["not"], t))
    for joined in _JOINED:
        if joined in segment:
            parts = [in_words(part, t) for part in segment[joined]]
            return t(f"segment_join.{joined}").join(parts) if parts else t("segment.everybody")
    value = segment.get("number", "、".join(segment.get("words", ())))
    number = f"{value:g}" if isinstance(value, float) else value
    test = f"segment_test.{segment['test']}"
    return t(test, field=t(f"segment_field.{segment['field']}"), value=number)


def _condition(field: str, test: str, value: str) -> dict[str, Any]:
    kind = FIELDS[field]
    if kind == "FLAG":
        return {"field": field, "test": "IS_TRUE"}
    if kind == "NUMBER":
        return {"field": field, "test": "AT_MOST" if test == "AT_MOST" else "AT_LEAST", "number": _number(value)}
    words = [word for word in _SEPARATORS.split(value) if word]
    return {"field": field, "test": "IS_ONE_OF" if kind == "WORD" else "HAS_ANY", "words": words}


def _number(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value  # crm says what is wrong with it
