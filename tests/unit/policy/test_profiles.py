"""The demonstration sites: valid, complete, their origins marked; identity of a version; the plain view."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.policy import catalogue, loader, provenance, schema
from services.policy.loader import Version

PROFILES = Path(__file__).parents[3] / "charts" / "kefu" / "profiles"
SITES = sorted(path.stem for path in PROFILES.glob("*.yaml"))


def load(site: str) -> Version:
    """A demonstration site."""
    return loader.load(PROFILES / f"{site}.yaml")


def test_all_eight_regimes_have_a_demonstration_site() -> None:
    shown = {regime for site in SITES for regime in load(site).profile.regimes}
    assert shown == set(catalogue.REGIMES)


@pytest.mark.parametrize("site", SITES)
def test_every_open_setting_of_its_regimes_is_the_sites_own(site: str) -> None:
    version = load(site)
    for clause in catalogue.of_regimes(version.profile.regimes):
        if clause.unquantified:
            assert provenance.look_up(version.values, clause.profile_key) is not None, clause.id
            assert any(path.startswith(clause.profile_key) for path in version.choices), clause.id


@pytest.mark.parametrize("site", SITES)
def test_every_figure_of_its_regimes_holds(site: str) -> None:
    version = load(site)
    figures = [f for c in catalogue.of_regimes(version.profile.regimes) for f in c.figures]
    for figure in figures:
        assert figure.holds(provenance.look_up(version.values, figure.path)), figure.path


@pytest.mark.parametrize("site", SITES)
def test_a_stored_version_is_read_back_as_it_was(site: str) -> None:
    version = load(site)
    again = loader.from_body(version.body)
    assert again.body == version.body
    assert again.profile.version == version.profile.version
    assert again.profile.settings == version.profile.settings
    assert again.choices == version.choices


def test_a_version_is_its_content_not_its_spelling() -> None:
    text = (PROFILES / "online-desk.yaml").read_text("utf-8")
    spelled = "# another comment\n" + text.replace("{min: 1, max: 5, floor: 4.2}", "{floor: 4.2, max: 5, min: 1}")
    assert loader.load_bytes(spelled.encode(), "x").profile.version == load("online-desk").profile.version
    changed = text.replace("take_back_after_s: 60", "take_back_after_s: 61")
    assert loader.load_bytes(changed.encode(), "x").profile.version != load("online-desk").profile.version
    reasoned = text.replace("Departments read their inbox twice a day", "Twice a day")
    assert loader.load_bytes(reasoned.encode(), "x").profile.version != load("online-desk").profile.version


def test_origins() -> None:
    shop = load("taobao-shop")
    assert shop.origin("sla.first_response_s.kinds.PRESALES") == "regime"
    assert shop.origin("sla.first_response_s.default") == "site"
    assert shop.origin("routing.take_back_after_s") == ""
    assert "three minutes" in shop.choices["sla.first_response_s.default"]


def test_the_plain_view_gives_each_queue_its_promise() -> None:
    shop = load("taobao-shop").profile
    assert {queue.id: queue.first_response_s for queue in shop.queues.values()} == {
        "PRESALES": 300,
        "AFTERSALES": 300,
        "COMPLAINTS": 180,
        "MEMBERS": 60,
    }
    assert shop.queues["MEMBERS"].complex_strategy == "COLLABORATE"
    default = shop.queue("", "TAOBAO")
    assert default is shop.queues["PRESALES"]
    assert shop.queue("NOWHERE", "TAOBAO") is None
    assert shop.queue("", "PHONE") is None


def test_the_plain_view_of_an_online_desk() -> None:
    desk = load("online-desk").profile
    assert desk.sla.handoff_s == 120
    assert desk.sla.warn_fractions == (0.5, 0.8, 1.0)
    assert desk.sla.greeting_s is None
    assert desk.sla.may_pause("REPLY_GAP", "CUSTOMER_SILENT")
    assert not desk.sla.may_pause("HANDOFF", "CUSTOMER_SILENT")
    assert desk.closing.required == ("SUMMARY", "ASKED_ANYTHING_ELSE", "FAREWELL")
    assert desk.reception.required == {"NEED", "SOURCE"}
    assert desk.rating is not None
    assert (desk.rating.min, desk.rating.max, desk.rating.floor) == (1, 5, 4.2)
    assert desk.routing.weight("VIP") == 4
    assert desk.routing.weight("SOMEBODY") == 1
    assert desk.setting("sampling.per_week") == 5
    assert desk.setting("live.content_refresh") is None
    assert desk.effective_from == datetime(2025, 12, 31, 16, tzinfo=UTC), "midnight in Shanghai"
    assert desk.display_name.get("zh-CN") == "在线客服中心"
    assert desk.display_name.get("en-GB") == "Online desk"


def test_a_clock_counts_business_hours_only_where_it_may_pause_outside_them() -> None:
    shop = load("taobao-shop").profile
    queue = shop.queues["PRESALES"]
    late = datetime(2026, 3, 5, 17, 0, tzinfo=UTC)  # 01:00 in Shanghai, the shop opens at 08:00
    assert shop.clock_calendar(queue, "FIRST_RESPONSE").add(late, 300) == datetime(2026, 3, 6, 0, 5, tzinfo=UTC)
    assert shop.clock_calendar(queue, "HANDOFF").add(late, 300) == datetime(2026, 3, 5, 17, 5, tzinfo=UTC)


def test_a_surge_ends_below_where_it_began() -> None:
    surge = load("online-desk").profile.routing.surge
    assert surge is not None
    assert [surge.active(n, before=False) for n in (49, 50, 51)] == [False, True, True]
    assert [surge.active(n, before=True) for n in (49, 40, 39)] == [True, True, False]


def test_rings_become_seconds() -> None:
    telephony = load("mall-centre").profile.telephony
    assert telephony is not None
    assert telephony.answer_within_s == 15
    assert telephony.customer_hangs_up_first
    assert load("taobao-shop").profile.telephony is None


def test_notes_tell_what_becomes_of_the_five_points() -> None:
    assert any("EXTRA: 5 points" in note for note in load("online-desk").notes)
    text = (
        (PROFILES / "online-desk.yaml")
        .read_text("utf-8")
        .replace(
            "unassigned_policy: NORMALISE",
            "items: {handover_quality: {group: EXTRA, weight: 5, direction: HIGHER}}\n  unassigned_policy: SITE_ITEM",
        )
    )
    assert not any("points" in note for note in loader.load_bytes(text.encode(), "x").notes)


def test_settings_of_the_contract_and_of_the_catalogue_agree() -> None:
    by_key: dict[str, set[str]] = {}
    for clause in catalogue.clauses().values():
        if clause.profile_key:
            by_key.setdefault(clause.profile_key, set()).add(clause.id)
    settings = schema.settings()
    assert by_key.keys() <= settings.keys()
    for key, clauses in by_key.items():
        assert set(settings[key].clauses) == clauses, key
    unknown = {name for info in settings.values() for name in info.clauses} - catalogue.clauses().keys()
    assert not unknown
    for key, info in settings.items():
        assert info.field.name == key.split(".")[1]


def test_every_figure_of_the_catalogue_has_its_field() -> None:
    for clause in catalogue.clauses().values():
        assert bool(clause.figures) == bool(clause.profile_key and not clause.unquantified), clause.id
        for figure in clause.figures:
            assert schema.setting_of(figure.path) is not None, figure.path


def test_the_catalogue_is_complete() -> None:
    clauses = catalogue.clauses()
    assert len(clauses) == 539
    counts = {regime: sum(c.regime == regime for c in clauses.values()) for regime in catalogue.REGIMES}
    assert counts == {
        "LIVE": 100,
        "ONLINE": 78,
        "TAOBAO-1": 68,
        "TAOBAO-2": 53,
        "TAOBAO-3": 55,
        "TAOBAO-4": 49,
        "TAOBAO-5": 45,
        "MALL": 91,
    }
    assert sum(bool(c.profile_key) for c in clauses.values()) == 126
    assert sum(c.unquantified for c in clauses.values()) == 77
    assert sum(c.truncated for c in clauses.values()) == 3
    assert all(c.summary and c.service and c.kind for c in clauses.values())
    assert all(c.id.startswith(c.regime) for c in clauses.values())
