"""Is a base backup what the server wrote? Checked against its manifest, as pg_verifybackup does.

The wheel's own pg_verifybackup ends with a segmentation fault whatever it is asked (18.4), hence these lines. The
format: PostgreSQL documentation, "Backup Manifest Format".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from services.kit.embedded.ports import EmbeddedError

ALGORITHM = "SHA256"
_NAME = "backup_manifest"
# Written into the copy itself, or after it: not the server's files.
_NOT_LISTED = {_NAME, "pg_wal"}
_LAST_LINE = b'"Manifest-Checksum"'


def verify(base: Path) -> None:
    """Read every file of a base backup once. Raises EmbeddedError naming the first files that do not fit."""
    faults = list(_faults(base))
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise EmbeddedError(f"the backup {base} is damaged: {'; '.join(faults[:3])}{more}; use another one")


def _faults(base: Path) -> Iterator[str]:
    try:
        text = (base / _NAME).read_bytes()
        manifest = json.loads(text)
        listed = {entry["Path"]: entry for entry in manifest["Files"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"no usable {_NAME} ({type(error).__name__})"
        return
    if hashlib.sha256(text[: text.rindex(_LAST_LINE)]).hexdigest() != manifest["Manifest-Checksum"]:
        yield f"{_NAME} was changed"
    there = {str(path.relative_to(base)) for path in base.rglob("*") if path.is_file()}
    for name in sorted(there - listed.keys()):
        if name.split("/")[0] not in _NOT_LISTED:
            yield f"{name} does not belong to it"
    for name, entry in listed.items():
        if name not in there:
            yield f"{name} is missing"
        elif entry.get("Checksum-Algorithm") != ALGORITHM or _digest(base / name) != entry["Checksum"]:
            yield f"{name} has another checksum"


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
