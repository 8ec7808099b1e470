"""`kefu profile` as people and machines read it."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner, Result

from services.policy.cli import dry_run_command, profile
from services.policy.dryrun import Judgement
from services.policy.profile import Profile

PROFILES = Path(__file__).parents[3] / "charts" / "kefu" / "profiles"


def kefu(*arguments: str) -> Result:
    """Run `kefu profile …` on the demonstration sites."""
    return CliRunner().invoke(profile, arguments, env={"KEFU_PROFILES": str(PROFILES)})


def edited(folder: Path, site: str, *edits: tuple[str, str]) -> str:
    """A copy of a demonstration site with edits; its path."""
    text = (PROFILES / f"{site}.yaml").read_text("utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{site}-new.yaml"
    path.write_text(text, "utf-8")
    return str(path)


def test_check_of_the_demonstration_sites() -> None:
    result = kefu("check", str(PROFILES))
    assert result.exit_code == 0
    assert result.output.count("valid") == len(list(PROFILES.glob("*.yaml")))
    assert "5 points have no item" in result.output


def test_check_prints_every_fault_of_every_file(tmp_path: Path) -> None:
    bad = edited(tmp_path, "live-room", ("value: 10,", "value: 10s,"), ("mode: OFF", "mode: AWAY"))
    result = kefu("check", str(PROFILES / "mall-centre.yaml"), bad)
    assert result.exit_code == 1
    assert "mall-centre.yaml: valid" in result.output
    assert f"{bad}:31: sla.greeting_s: has a unit in its value ('10s'). Write 10, the unit is s." in result.output
    assert "bot.mode: has the unknown value 'AWAY'" in result.output
    assert "2 faults." in result.output


def test_check_finds_files_that_clash(tmp_path: Path) -> None:
    result = kefu("check", str(PROFILES / "live-room.yaml"), edited(tmp_path, "live-room"))
    assert result.exit_code == 1
    assert "same day" in result.output


def test_show_gives_unit_origin_and_clauses() -> None:
    result = kefu("show", "taobao-shop")
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.output.splitlines() if line}
    assert lines["sla.first_response_s.kinds.PRESALES"].split()[1:] == ["300", "s", "regime", "TAOBAO-1-2.1.1-1"]
    assert "180 s" in lines["sla.first_response_s.default"]
    assert "site   TAOBAO-3-2.2.1, TAOBAO-4-3.1.3 · Satisfaction" in lines["sla.first_response_s.default"]


def test_show_for_machines() -> None:
    document = json.loads(kefu("show", "online-desk", "--json").output)
    assert document["site"] == "online-desk"
    assert len(document["version"]) == 64
    values = {entry["path"]: entry for entry in document["values"]}
    assert values["sla.handoff_s"] == {
        "path": "sla.handoff_s",
        "value": 120,
        "unit": "s",
        "origin": "regime",
        "clauses": ["ONLINE-3.1.2-3"],
        "reason": "",
    }
    assert values["crm.high_value_rule.min_spend_yuan"]["origin"] == "site"


def test_show_at_a_day(tmp_path: Path) -> None:
    edited(tmp_path, "live-room")
    edited_june = edited(tmp_path, "live-room", ("2026-01-01", "2026-06-01"), ("value: 10,", "value: 8,"))
    Path(edited_june).rename(tmp_path / "june.yaml")
    edited(tmp_path, "live-room")
    folder = ("--profiles", str(tmp_path))
    assert (
        "sla.greeting_s                                 10 s"
        in kefu("show", "live-room", "--at", "2026-05-31", *folder).output
    )
    assert (
        "sla.greeting_s                                 8 s"
        in kefu("show", "live-room", "--at", "2026-06-01", *folder).output
    )
    assert "sla.greeting_s                                 8 s" in kefu("show", "live-room", *folder).output
    before = kefu("show", "live-room", "--at", "2025-06-01", *folder)
    assert before.exit_code == 1
    assert "no profile in force" in before.output


def test_an_unknown_site_is_told_the_known_ones() -> None:
    result = kefu("show", "nowhere")
    assert result.exit_code == 1
    assert "Known: call-centre, live-room" in result.output


def test_diff_in_plain_words(tmp_path: Path) -> None:
    new = edited(
        tmp_path,
        "online-desk",
        ("handoff_s: 120", 'handoff_s: {value: 90, origin: site, reason: "Two specialists more"}'),
        ("mode: SURGE_ONLY", "mode: ALWAYS"),
        ("required: [NEED, SOURCE]", "required: [NEED]"),
        ("capacity_default: 4", "capacity_default: 5"),
        ("name_en: VIP, weight: 4", "name_en: VIP, weight: 3"),
        ("max_transfers: 3\n", ""),
        ("  complaint_record_s: 300\n", '  complaint_record_s: {value: 300, origin: site, reason: "Ours too"}\n'),
        ("presence: {break", "presence: {off_post_min: {value: 10, origin: site, reason: r}, break"),
    )
    result = kefu("diff", "online-desk", new)
    assert result.output.splitlines() == [
        "bot.mode changes from SURGE_ONLY to ALWAYS.",
        "presence.off_post_min is new: 10 min. The site's own: r.",
        "reception.required loses SOURCE.",
        "routing.capacity_default rises from 4 to 5.",
        "routing.max_transfers is gone; it was 3.",
        "routing.tiers[VIP].weight falls from 4 to 3.",
        "sla.handoff_s falls from 120 s to 90 s. The site's own: Two specialists more.",
        "sla.complaint_record_s stays, but is the site's own now: Ours too.",
    ]
    assert kefu("diff", "online-desk", "online-desk").output == "Nothing differs.\n"


class Recorded:
    """Two recorded conversations, answered after 25 and after 100 seconds, judged by the first-response promise."""

    def __init__(self) -> None:
        self.asked: tuple[str, datetime, datetime] | None = None

    def histories(self, site: str, since: datetime, until: datetime) -> Iterable[tuple[str, int]]:
        self.asked = (site, since, until)
        return [("c1", 25), ("c2", 100)]

    def judge(self, history: tuple[str, int], profile: Profile) -> Iterable[Judgement]:
        name, answered_after = history
        promise = profile.queues["ROOM"].first_response_s
        assert promise is not None
        yield Judgement(name, "FIRST_RESPONSE", 1, "MET" if answered_after <= promise else "BREACHED", None)
        if profile.sla.greeting_s is not None:
            yield Judgement(name, "GREETING", 1, "MET", None)


def dry_run(source: Recorded, *arguments: str) -> Result:
    """Run the dry-run command around a source."""
    return CliRunner().invoke(dry_run_command(source), arguments, env={"KEFU_PROFILES": str(PROFILES)})


def test_dry_run_says_what_would_have_changed(tmp_path: Path) -> None:
    source = Recorded()
    new = edited(tmp_path, "live-room", ("ENQUIRY: 20,", "ENQUIRY: 30,"))
    result = dry_run(source, "live-room", new, "--from", "2026-03-01", "--to", "2026-03-02")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[:2] == [
        "c1 FIRST_RESPONSE #1: BREACHED → MET",
        "2 conversations, 1 promises would have ended differently.",
    ]
    rows = [line.split() for line in result.output.splitlines()[2:]]
    assert ["FIRST_RESPONSE", "BREACHED", "2", "→", "1"] in rows
    assert ["GREETING", "MET", "2", "→", "2"] in rows
    shanghai_days = (datetime(2026, 2, 28, 16, tzinfo=UTC), datetime(2026, 3, 2, 16, tzinfo=UTC))
    assert source.asked == ("live-room", *shanghai_days)


def test_dry_run_of_another_sites_profile_is_refused() -> None:
    result = dry_run(
        Recorded(), "live-room", str(PROFILES / "mall-centre.yaml"), "--from", "2026-03-01", "--to", "2026-03-02"
    )
    assert result.exit_code == 1
    assert "is the profile of mall-centre, not of live-room" in result.output
