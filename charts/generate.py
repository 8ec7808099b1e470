"""The chart's README: what a person wrote (README.head.md) and a table of every value, from the schema.

python charts/generate.py            write charts/kefu/README.md
python charts/generate.py --check    exit code 1 when it is not current
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "charts" / "kefu"
README = CHART / "README.md"
INTRODUCTION = CHART / "README.head.md"


@dataclass(frozen=True)
class Row:
    """One line of the table of values."""

    path: str
    kind: str
    default: str
    text: str


def describe(schema: Mapping[str, Any], values: Mapping[str, Any]) -> list[Row]:
    """A row for every key that has a description or a default, in the schema's order."""
    return list(_rows(schema, schema, values, ""))


def _rows(root: Mapping[str, Any], node: Mapping[str, Any], values: Any, path: str) -> Iterator[Row]:
    for key, below in node.get("properties", {}).items():
        inner = _resolve(root, below)
        here = f"{path}{key}"
        if inner.get("deprecated"):
            continue
        value = values.get(key) if isinstance(values, Mapping) else None
        if inner.get("properties") and "$ref" not in str(inner.get("additionalProperties", "")):
            yield Row(here, "object", "", _text(inner))
            yield from _rows(root, inner, value, f"{here}.")
        else:
            yield Row(here, _kind(inner), _default(value), _text(inner))


def _resolve(root: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The node behind a reference; what stands beside the reference describes it."""
    if "$ref" not in node:
        return node
    found: Mapping[str, Any] = root
    for step in node["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return {**_resolve(root, found), **{key: value for key, value in node.items() if key != "$ref"}}


def _text(node: Mapping[str, Any]) -> str:
    return str(node.get("description", ""))


def _kind(node: Mapping[str, Any]) -> str:
    if "enum" in node:
        return " ".join(f"`{one}`" for one in node["enum"])
    kind = node.get("type", "any")
    return kind if isinstance(kind, str) else ", ".join(kind)


def _default(value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= 60 else "see values.yaml"


def readme() -> str:
    """The chart's README: what a person wrote, and the table of values."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    lines = ["| key | kind | default | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{row.path}` | {row.kind} | {row.default} | {row.text} |".replace("|  |", "| |")
        for row in describe(schema, values)
    ]
    return INTRODUCTION.read_text(encoding="utf-8") + "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit code."""
    text = readme()
    if README.exists() and README.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in arguments:
        print(f"{README.relative_to(ROOT)} is not current: run `make charts`")
        return 1
    README.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
