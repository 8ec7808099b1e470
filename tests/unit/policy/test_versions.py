"""Which version is in force when, and what happens when the mounted files change."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.policy import loader
from services.policy.faults import ProfileRefusedError
from services.policy.versions import Profiles, ProfileSet, SiteUnknownError, Status

PROFILES = Path(__file__).parents[3] / "charts" / "kefu" / "profiles"
LIVE = (PROFILES / "live-room.yaml").read_text("utf-8")
JUNE = LIVE.replace("effective_from: 2026-01-01", "effective_from: 2026-06-01").replace("value: 10,", "value: 8,")


def greeting(profiles: ProfileSet, instant: datetime) -> int | None:
    """The greeting promise in force."""
    return profiles.at("live-room", instant).sla.greeting_s


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mounted folder with one site, as Kubernetes swaps it: files are links through a link."""
    mount(tmp_path, 1, {"live-room.yaml": LIVE})
    return tmp_path


def mount(folder: Path, generation: int, contents: dict[str, str]) -> None:
    """Swap the folder's content atomically, the way a ConfigMap volume does."""
    data = folder / f"..{generation}"
    data.mkdir()
    for name, text in contents.items():
        (data / name).write_text(text, "utf-8")
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)
    for link in folder.glob("*.yaml"):
        if link.name not in contents:
            link.unlink()
    fresh = folder / "..fresh"
    fresh.symlink_to(data.name)
    fresh.rename(folder / "..data")


def test_a_moment_is_judged_by_the_version_in_force_then() -> None:
    profiles = ProfileSet([loader.load_bytes(JUNE.encode(), "june"), loader.load_bytes(LIVE.encode(), "january")])
    last_of_may = datetime(2026, 5, 31, 15, 59, 59, tzinfo=UTC)  # one second before midnight in Shanghai
    assert greeting(profiles, last_of_may) == 10
    assert greeting(profiles, datetime(2026, 5, 31, 16, 0, 0, tzinfo=UTC)) == 8
    assert [v.profile.sla.greeting_s for v in profiles.versions("live-room")] == [10, 8]
    version = profiles.version_at("live-room", last_of_may)
    assert profiles.by_hash(version.profile.version) is version
    assert profiles.by_hash("0" * 64) is None


def test_before_the_first_version_and_at_an_unknown_site_there_are_no_rules() -> None:
    profiles = ProfileSet([loader.load_bytes(LIVE.encode(), "january")])
    with pytest.raises(SiteUnknownError, match="2025-12-31"):
        profiles.at("live-room", datetime(2025, 12, 31, tzinfo=UTC))
    with pytest.raises(SiteUnknownError, match="'nowhere'"):
        profiles.at("nowhere", datetime(2026, 12, 31, tzinfo=UTC))


def test_two_versions_may_not_begin_on_the_same_day() -> None:
    other = LIVE.replace("value: 10,", "value: 8,")
    with pytest.raises(ProfileRefusedError, match=r"b\.yaml: effective_from: is the same day as in a\.yaml"):
        ProfileSet([loader.load_bytes(LIVE.encode(), "a.yaml"), loader.load_bytes(other.encode(), "b.yaml")])


def test_a_process_does_not_start_on_bad_rules(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    mount(folder, 2, {"live-room.yaml": LIVE.replace("value: 10,", "value: 10s,")})
    with pytest.raises(ProfileRefusedError, match="greeting_s: has a unit"):
        Profiles(folder)
    with pytest.raises(ProfileRefusedError, match=r"no \*\.yaml"):
        Profiles(tmp_path_factory.mktemp("empty"))


def test_a_changed_file_is_in_force_after_a_reload(folder: Path) -> None:
    seen: list[Status] = []
    profiles = Profiles(folder, on_change=seen.append)
    assert not profiles.reload(), "nothing changed"
    mount(folder, 2, {"live-room.yaml": LIVE, "live-room-june.yaml": JUNE})
    assert profiles.reload()
    assert greeting(profiles.current, datetime(2026, 7, 1, tzinfo=UTC)) == 8
    assert greeting(profiles.current, datetime(2026, 2, 1, tzinfo=UTC)) == 10
    assert [status.faults for status in seen] == [()]


def test_a_bad_new_file_keeps_the_running_version_and_is_reported(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Status] = []
    profiles = Profiles(folder, on_change=seen.append)
    running = profiles.current.at("live-room", datetime(2026, 7, 1, tzinfo=UTC))
    mount(folder, 2, {"live-room.yaml": LIVE.replace("value: 10,", "value: ten,")})
    assert profiles.reload()
    assert profiles.current.at("live-room", datetime(2026, 7, 1, tzinfo=UTC)) is running
    assert [fault.path for fault in profiles.status.faults] == ["sla.greeting_s"]
    assert seen == [profiles.status]
    assert "the running version stays in force" in caplog.text
    assert not profiles.reload(), "the same bad file is reported once"
    mount(folder, 3, {"live-room.yaml": LIVE.replace("value: 10,", "value: 9,")})
    assert profiles.reload()
    assert profiles.status.faults == ()
    assert greeting(profiles.current, datetime(2026, 7, 1, tzinfo=UTC)) == 9


def test_a_bad_file_does_not_hold_up_the_others(folder: Path) -> None:
    profiles = Profiles(folder)
    mall = (PROFILES / "mall-centre.yaml").read_text("utf-8")
    mount(folder, 2, {"live-room.yaml": "site: [", "mall-centre.yaml": mall})
    profiles.reload()
    assert profiles.current.sites == ("live-room", "mall-centre")
    assert len(profiles.status.faults) == 1


def test_clashing_files_keep_what_was_in_force(folder: Path) -> None:
    profiles = Profiles(folder)
    before = profiles.current
    mount(folder, 2, {"live-room.yaml": LIVE, "other.yaml": LIVE.replace("value: 10,", "value: 8,")})
    profiles.reload()
    assert profiles.current is before
    assert "same day" in profiles.status.faults[0].reason
    mount(folder, 3, {"live-room.yaml": LIVE, "other.yaml": JUNE})
    profiles.reload()
    assert profiles.status.faults == ()
    assert greeting(profiles.current, datetime(2026, 7, 1, tzinfo=UTC)) == 8


def test_a_site_does_not_lose_its_last_rules_while_running(folder: Path) -> None:
    mount(folder, 2, {"live-room.yaml": LIVE, "live-room-june.yaml": JUNE})
    profiles = Profiles(folder)
    mount(folder, 3, {"live-room-june.yaml": JUNE})
    profiles.reload()
    assert len(profiles.current.versions("live-room")) == 1, "an older version may go"
    mount(folder, 4, {"mall-centre.yaml": (PROFILES / "mall-centre.yaml").read_text("utf-8")})
    profiles.reload()
    assert profiles.current.sites == ("live-room", "mall-centre")
    assert "would have no rules" in profiles.status.faults[0].reason


async def test_watching_takes_a_change_over(folder: Path) -> None:
    changed = asyncio.Event()
    profiles = Profiles(folder, on_change=lambda _: changed.set())
    watching = asyncio.create_task(profiles.watch(seconds=0.01))
    mount(folder, 2, {"live-room.yaml": LIVE.replace("value: 10,", "value: 9,")})
    await asyncio.wait_for(changed.wait(), 10)
    assert greeting(profiles.current, datetime(2026, 7, 1, tzinfo=UTC)) == 9
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
