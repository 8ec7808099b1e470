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


@pytest.mark.clause("ONLINE-1-2")
def test_duties_workflow_service_standards_and_conduct_stand_in_one_profile(tmp_path: Path) -> None:
    """One file, each figure with its clause; what is left out or does not belong is refused."""
    shown = shown_values("online-desk")
    framework = {
        "meeting.morning_briefing.at": "ONLINE-5.2.2-1",
        "reception.required": "ONLINE-3.1.1-3",
        "sla.first_response_s.default": "ONLINE-3.1.1-1",
        "lint.opening_names_agent": "ONLINE-3.1.2-1",
    }
    assert {path: clause in shown[path]["clauses"] for path, clause in framework.items()} == dict.fromkeys(
        framework, True
    )
    refused = kefu_profile("check", edited_profile(tmp_path, "online-desk", ("lint: {", "manners: {")))
    assert refused.exit_code == 1
    assert "manners" in refused.output


SHOP_RULES = {
    "TAOBAO-1": ("TAOBAO-1-6.1", "TAOBAO-1-6.2"),
    "TAOBAO-2": ("TAOBAO-2-5.1", "TAOBAO-2-5.2"),
    "TAOBAO-3": ("TAOBAO-3-5.1", "TAOBAO-3-5.2"),
    "TAOBAO-4": ("TAOBAO-4-6.1", "TAOBAO-4-6.2"),
    "TAOBAO-5": ("TAOBAO-5-5.1", "TAOBAO-5-5.2"),
}


@pytest.mark.parametrize(
    "regime", [pytest.param(regime, marks=pytest.mark.clause(*clauses)) for regime, clauses in SHOP_RULES.items()]
)
def test_since_when_a_shop_s_rules_are_in_force_and_who_says_what_they_mean(tmp_path: Path, regime: str) -> None:
    shown = kefu_profile("show", "taobao-shop")
    assert shown.exit_code == 0, shown.output
    regimes, owner = shown.output.splitlines()[1:3]
    assert regime in regimes
    assert regimes.endswith("in force from 2026-01-01")
    assert owner == "answered for by shop-manager"
    assert kefu_profile("show", "taobao-shop", "--at", "2025-12-31").exit_code == 1
    for line in ("effective_from: 2026-01-01\n", "owner: shop-manager\n"):  # left open
        refused = kefu_profile("check", edited_profile(tmp_path, "taobao-shop", (line, "")))
        assert refused.exit_code == 1
        assert line.partition(":")[0] in refused.output
