"""Every kind of bad profile is refused with file, path, reason and what to write; nothing of it is taken over."""

from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from services.policy import loader
from services.policy.faults import Fault, ProfileRefusedError

PROFILES = Path(__file__).parents[3] / "charts" / "kefu" / "profiles"


class Bad(NamedTuple):
    """A valid profile with one edit, and the fault that must be named."""

    site: str
    old: str
    new: str
    path: str
    reason: str = ""
    write: str = ""


TABLE = {
    entry.pop("name"): Bad(**entry)
    for entry in yaml.safe_load(Path(__file__).with_name("bad_profiles.yaml").read_text("utf-8"))
}


def refuse(bad: Bad) -> tuple[Fault, ...]:
    """The faults of a valid profile after the edit."""
    text = (PROFILES / f"{bad.site}.yaml").read_text("utf-8")
    assert bad.old in text, "the edit must apply"
    with pytest.raises(ProfileRefusedError) as caught:
        loader.load_bytes(text.replace(bad.old, bad.new, 1).encode(), "bad.yaml")
    return caught.value.faults


@pytest.mark.parametrize("bad", TABLE.values(), ids=TABLE)
def test_refused_with_path_reason_and_remedy(bad: Bad) -> None:
    faults = refuse(bad)
    matching = [f for f in faults if f.path == bad.path and bad.reason in f.reason and bad.write in f.write]
    assert matching, "\n".join(map(str, faults))
    assert all(fault.file == "bad.yaml" and fault.write for fault in faults)


CONSEQUENT = ("inherited from another regime", "regimes disagree")
"""Edits that add a regime, whose other figures are then missing too."""


@pytest.mark.parametrize("name", [name for name, bad in TABLE.items() if name not in CONSEQUENT and bad.path])
def test_nothing_else_is_blamed(name: str) -> None:
    paths = {fault.path for fault in refuse(TABLE[name])}
    near = TABLE[name].path.split("[")[0]
    assert all(path.startswith(near) or near.startswith(path.rpartition(".")[0]) for path in paths)


def test_every_fault_is_listed_with_its_line() -> None:
    text = (PROFILES / "online-desk.yaml").read_text("utf-8")
    text = text.replace("handoff_s: 120", "handoff_s: 2 min").replace("mode: SURGE_ONLY", "mode: SOMETIMES")
    text = text.replace("per_week: 5", "per_week: 3").replace("owner: desk-manager", "owner:")
    with pytest.raises(ProfileRefusedError) as caught:
        loader.load_bytes(text.encode(), "bad.yaml")
    lines = text.splitlines()
    assert {fault.path for fault in caught.value.faults} == {"sla.handoff_s", "bot.mode", "sampling.per_week", "owner"}
    for fault in caught.value.faults:
        assert fault.path.rsplit(".", 1)[-1] in lines[fault.line - 1]
    assert "bad.yaml:" in str(caught.value)


def test_a_file_that_cannot_be_read_or_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(ProfileRefusedError, match="cannot be read"):
        loader.load(tmp_path / "absent.yaml")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"# " + b"x" * 1_000_001)
    with pytest.raises(ProfileRefusedError, match="larger than 1 MB"):
        loader.load(large)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("owner: é".encode("latin-1"))
    with pytest.raises(ProfileRefusedError, match="not UTF-8"):
        loader.load(latin)
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    with pytest.raises(ProfileRefusedError, match="not a mapping"):
        loader.load(empty)
