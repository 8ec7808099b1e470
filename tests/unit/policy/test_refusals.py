"""Every kind of bad profile is refused with file, path, reason and what to write; nothing of it is taken over."""

from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.policy import loader
from services.policy.faults import Fault, ProfileRefusedError
from services.policy.loader import Version

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


TEXTS = [path.read_text("utf-8") for path in sorted(PROFILES.glob("*.yaml"))]

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


@given(st.data())
def test_whatever_is_typed_is_refused_properly_or_valid(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    typed = data.draw(
        st.one_of(st.text(max_size=12), st.sampled_from([": ", "{", "[", "- ", "\n", "null", "-1", "&a", "!x", "'"]))
    )
    edited = (text[:start] + typed + text[start + length :]).encode("utf-8", "surrogatepass")
    version: Version | None = None
    faults: tuple[Fault, ...] = ()
    try:
        version = loader.load_bytes(edited, "typed")
    except ProfileRefusedError as error:
        faults = error.faults
    assert (version is None) == bool(faults)
    assert all(fault.reason and fault.write for fault in faults)
    assert version is None or loader.from_body(version.body).body == version.body


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ProfileRefusedError, match="nested too deeply"):
        loader.load_bytes(b"site: " + b"[" * 100_000, "deep.yaml")
