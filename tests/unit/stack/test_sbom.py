"""The bill of materials: whole, the same twice, and under licences that let Kefu be given to whoever wants it."""

from __future__ import annotations

import re
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from services.stack.sbom import document

LOCK = Path(__file__).resolve().parents[3] / "requirements.lock"
# None of them asks anything of a company that runs or changes Kefu; certifi's MPL is about its own files.
FREE = re.compile(
    r"(MIT|MIT-0|BSD|BSD-[23]-Clause|3-Clause BSD|0BSD|Zlib|CC0-1\.0|Apache( Software)?|Apache-2\.0|PSF-2\.0"
    r"|Mozilla Public License 2\.0 \(MPL 2\.0\))( License| WITH LLVM-exception)?"
)


def components() -> dict[str, Any]:
    """Package → component, of what the lock brings into the image."""
    locked = set(re.findall(r"^([a-z0-9._-]+)==", LOCK.read_text(encoding="utf-8"), re.MULTILINE))
    return {one["name"]: one for one in document(distributions())["components"] if one["name"] in locked}


def licence(component: Any) -> str:
    """An SPDX expression, or the name that a package gives."""
    (found,) = component["licenses"]
    return str(found.get("expression") or found["license"]["name"])


def test_every_package_says_its_licence_and_all_are_free() -> None:
    found = {name: licence(one) for name, one in components().items()}
    assert len(found) > 50
    held = {name: re.split(r" (?:AND|OR) ", text) for name, text in found.items()}
    assert {name: parts for name, parts in held.items() if not all(FREE.fullmatch(one) for one in parts)} == {}


def test_two_runs_give_the_same() -> None:
    assert document(distributions()) == document(distributions())
