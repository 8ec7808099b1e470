"""What is in this Python environment, as a CycloneDX 1.6 document: `python -m services.stack.sbom`.

Written into the image when it is built, from what is installed rather than from what was asked for. Two runs over one
environment give the same bytes: no serial number, no time.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from typing import Any, Final

_NAME_CHARACTERS: Final = 60


def document(installed: Iterable[Distribution]) -> dict[str, Any]:
    """The bill of materials: one component a package, by name."""
    components = sorted((_component(one) for one in installed), key=lambda one: str(one["purl"]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "kefu", "bom-ref": "kefu"}},
        "components": components,
    }


def _component(one: Distribution) -> dict[str, Any]:
    name = re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower()
    purl = f"pkg:pypi/{name}@{one.version}"
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": one.version,
        "purl": purl,
    }
    if licence := _licence(one):
        found["licenses"] = [licence]
    return found


def _licence(one: Distribution) -> dict[str, Any]:
    if expressions := one.metadata.get_all("License-Expression"):
        return {"expression": expressions[0]}
    classified = [
        line.rpartition(" :: ")[2]
        for line in one.metadata.get_all("Classifier") or []
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    ]
    # the oldest way to say it, in which some paste the whole text
    named = classified or [text for text in one.metadata.get_all("License") or [] if 0 < len(text) <= _NAME_CHARACTERS]
    return {"license": {"name": named[0]}} if named else {}


if __name__ == "__main__":
    json.dump(document(distributions()), sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")
