"""What the written rules leave open the site must settle itself, or its profile is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clauses.acting import edited_profile, kefu_profile, shown_values

INDUCTION = (
    '  days: {value: 5, origin: site, reason: "The regime leaves the number blank; '
    'one day for each of its five modules"}\n'
)


@pytest.mark.clause("MALL-5.1.1-2")
def test_the_mall_says_itself_how_many_days_induction_lasts(tmp_path: Path) -> None:
    days = shown_values("mall-centre")["induction.days"]
    assert (days["value"], days["unit"], days["origin"]) == (5, "d", "site")
    for days_line in ("", "  days: 3\n"):  # left blank, or taken over from another regime
        refused = kefu_profile("check", edited_profile(tmp_path, "mall-centre", (INDUCTION, days_line)))
        assert refused.exit_code == 1
        assert "induction.days" in refused.output
        assert "MALL-5.1.1-2" in refused.output


@pytest.mark.clause("ONLINE-4.1.3")
def test_five_points_that_no_indicator_holds_must_be_settled(tmp_path: Path) -> None:
    shown = shown_values("online-desk")
    assert shown["scorecard.groups.EXTRA"]["value"] == 20
    listed = sum(shown[f"scorecard.{name}.weight"]["value"] for name in ("conversion", "knowledge"))
    assert listed == 15
    policy = "  unassigned_policy: NORMALISE # 5 points of EXTRA have no item in the written rule\n"
    refused = kefu_profile("check", edited_profile(tmp_path, "online-desk", (policy, "")))
    assert refused.exit_code == 1
    assert "scorecard.unassigned_policy: does not settle the 5 points of EXTRA" in refused.output
    groups = ("EXTRA: 20}", "EXTRA: 15}")
    refused = kefu_profile("check", edited_profile(tmp_path, "online-desk", groups))
    assert refused.exit_code == 1
    assert "ONLINE-4.1.3 gives 20" in refused.output
