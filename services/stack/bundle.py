"""A diagnostic file for whoever helps: versions, status, findings, settings, logs; no secrets, no personal data."""

from __future__ import annotations

import io
import json
import platform
import re
import tarfile
from collections.abc import Iterable, Mapping
from importlib.metadata import distributions
from pathlib import Path

from services.stack import doctor, status
from services.stack.home import Home

LOG_BYTES = 2_000_000
# Keys of log lines that are kept: times, ids, states and figures of our own. Everything else is dropped, so that a
# field which somebody adds later cannot leak.
KEPT = frozenset(
    {
        "time", "level", "logger", "message", "service", "trace_id", "span_id", "site", "method", "code", "seconds",
        "error_id", "listen", "port", "metrics", "check", "fault", "traceback", "reason", "state", "version",
    }
)  # fmt: skip
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b([a-z][a-z0-9+]*://)[^/\s:@]*:[^@\s]+@"), r"\1…@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), r"\1 …"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), "…token…"),
    (re.compile(r"(?i)(password|secret|passwd|token|key)(\"?\s*[=:]\s*\"?)[^\s\",}]+"), r"\1\2…"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "…address…"),
    (re.compile(r"(?<![\w-])\+?\d[\d -]{9,}\d(?![\w-])"), "…number…"),
)
_WORDS = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af]+")


def write(home: Home, target: Path) -> Path:
    """Collect into a .tar.gz and return its path."""
    parts: dict[str, str] = {
        "versions.json": json.dumps(versions(), indent=1),
        "status.json": json.dumps(status.read(home).plain(), indent=1, default=str),
        "doctor.json": json.dumps([finding.plain() for finding in doctor.examine(home)], indent=1),
        "settings.json": json.dumps(settings(home), indent=1),
    }
    for log in sorted(home.logs.glob("*.log")):
        parts[f"logs/{log.name}"] = "\n".join(redacted(_tail(log)))
    with tarfile.open(target, "w:gz") as archive:
        for name, text in parts.items():
            data = scrub(text, known_secrets(home)).encode()
            entry = tarfile.TarInfo(f"kefu-bundle/{name}")
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))
    target.chmod(0o600)
    return target


def versions() -> dict[str, object]:
    """Python, machine and every installed package."""
    packages = {one.metadata["Name"]: one.version for one in distributions()}
    return {"python": platform.python_version(), "machine": platform.platform(), "packages": packages}


def settings(home: Home) -> Mapping[str, object]:
    """What the stack was started with, without a secret."""
    return {"home": str(home.folder), "port_base": home.port_base, "environment": "local"}


def known_secrets(home: Home) -> list[str]:
    """Every secret of the stack, so that none survives wherever it may have got to."""
    found: set[str] = set()
    for file in home.folder.rglob("secrets.json"):
        found |= set(json.loads(file.read_text()).values())
    for file in (home.sealing_keys, *home.keys.glob("*.key")):
        if file.exists():
            found |= {line for line in re.split(r"[\s\"]+", file.read_text()) if len(line) >= 16}
    # passwords of people are the beginning of a secret
    return sorted(found | {secret[:16] for secret in found}, key=len, reverse=True)


def redacted(lines: Iterable[str]) -> Iterable[str]:
    """Log lines with their known fields only; a line that is not ours keeps its Latin text."""
    for line in lines:
        try:
            fields = json.loads(line)
        except ValueError:
            yield _WORDS.sub("…", line)
            continue
        kept = {key: value for key, value in fields.items() if key in KEPT} if isinstance(fields, dict) else {}
        yield _WORDS.sub("…", json.dumps(kept, ensure_ascii=False))


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Take out known secrets and whatever looks like a credential, an address or a telephone number."""
    for secret in secrets:
        text = text.replace(secret, "…secret…")
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _tail(path: Path) -> list[str]:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        return file.read().decode(errors="replace").splitlines()
