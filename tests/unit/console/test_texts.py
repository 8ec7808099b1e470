"""Every word that a person reads comes from both catalogues, and templates hold none of their own."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from buf.validate import validate_pb2
from jinja2 import Environment, nodes
from kefu.crm.v1 import (
    campaign_service_pb2,
    customer_pb2,
    points_service_pb2,
    privacy_service_pb2,
    win_back_service_pb2,
)
from kefu.intake.v1 import conversation_pb2
from kefu.qa.v1 import draw_service_pb2, recording_pb2, review_pb2, scorecard_service_pb2
from kefu.staffing.v1 import person_pb2

from services.crm.domain import segment
from services.gateway.accounts import Role
from services.gateway.console import texts
from services.gateway.console.pages import campaigns, desk, desk_actions, draws, integrations, reviews
from services.gateway.console.present import conversations, segments
from services.qa.domain import metrics, scorecard

GATEWAY = Path(texts.__file__).resolve().parents[1]
TEMPLATES = sorted((GATEWAY / "templates").rglob("*.html"))
ENVIRONMENT = Environment(autoescape=True)
# What is the same in every language: names of keys.
SAME = {"Ctrl", "Enter"}
GRANTED = points_service_pb2.GrantPointsRequest.DESCRIPTOR.fields_by_name["cause"]
CAUSES = set(getattr(GRANTED.GetOptions().Extensions[validate_pb2.field].string, "in"))
READ_ALOUD = re.compile(r"""\b(?:title|aria-label|placeholder|alt|label)=["']([^"'{]*\w[^"'{]*)["']""")


def keys(language: str) -> dict[str, str]:
    return {str(message.id): str(message.string) for message in texts.read(language) if message.id}


def used() -> Iterator[tuple[str, str]]:
    """(template, key) of every call t('…'); a key that goes on with `~` is given with a `*` at its end."""
    for path in TEMPLATES:
        for call in ENVIRONMENT.parse(path.read_text(encoding="utf-8")).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "t":
                yield path.name, _key(call.args[0])


def _key(node: nodes.Expr) -> str:
    if isinstance(node, nodes.Const):
        return str(node.value)
    assert isinstance(node, nodes.Concat), "t() takes a literal, or a literal prefix ~ a value"
    first = node.nodes[0]
    assert isinstance(first, nodes.Const)
    return f"{first.value}*"


def in_python() -> set[str]:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (GATEWAY / "console").rglob("*.py"))
    pattern = re.compile(r'"([a-z_0-9]+\.[a-zA-Z_0-9]+)"|f"([a-z_0-9]+\.)\{')
    return {key or f"{prefix}*" for key, prefix in pattern.findall(source)}


def names(enum: object, prefix: str) -> set[str]:
    return {name.removeprefix(prefix) for name, value in enum.items() if value}  # type: ignore[attr-defined]


DYNAMIC = {
    "state.": names(conversation_pb2.Conversation.State, "STATE_"),
    "clock.": names(conversation_pb2.Clock.Kind, "KIND_"),
    "clock_state.": names(conversation_pb2.Clock.State, "STATE_"),
    "channel.": names(conversation_pb2.Channel, "CHANNEL_"),
    "presence.": names(person_pb2.Presence.State, "STATE_"),
    "role.": {role.value for role in Role},
    "account.": {"INVITED", "ACTIVE", "LOCKED", "DISABLED"},
    "source.": set(desk.SOURCES),
    "event.": {*integrations.KINDS, "all"},
    "program.": set(integrations.ROLES),
    "done.": set(desk_actions.ACTIONS),
    "file.": names(customer_pb2.Customer.State, "STATE_"),
    "purpose.": names(customer_pb2.Purpose, "PURPOSE_"),
    "timeline.": {"ORDER", "RETURN", "CONVERSATION", "COMPLAINT", "TIER", "CONSENT"},
    "tier_cause.": {"RAISED", "LOWERED", "WARNED", "RECOVERED"},
    "recording_kind.": names(recording_pb2.Recording.Kind, "KIND_"),
    "recording_state.": names(recording_pb2.Recording.State, "STATE_"),
    "author.": names(conversation_pb2.Message.AuthorKind, "AUTHOR_KIND_"),
    "draw_kind.": {*names(draw_service_pb2.Draw.Kind, "KIND_"), "RISK"},
    "draw_scope.": {"TEAM", "AGENT", "SUPERVISOR"},
    "draw_cause.": {"NO_RECORDINGS", "FEW_RECORDINGS", "LEFT"},
    "draw_reason.": set(draws.REASONS),
    "review_origin.": names(review_pb2.Review.Origin, "ORIGIN_"),
    "review_state.": set(reviews.SHOWN),
    "review_whose.": set(reviews.WHOSE),
    "card_grade.": {scorecard.EXCELLENT, scorecard.GOOD, scorecard.QUALIFIED, scorecard.UNQUALIFIED},
    "card_group.": {"BASIC", "QUALITY", "EXTRA"},
    "fact.": set(metrics.FACTS),
    "figure_source.": {scorecard.COMPUTED, scorecard.IMPORTED, scorecard.MANUAL},
    "metric.": set(metrics.METRICS),
    "metric_unit.": {one.unit for one in metrics.METRICS.values()},
    "scorecard_state.": names(scorecard_service_pb2.Scorecard.State, "STATE_"),
    "points.": {"ISSUED", "PENDING", "ACTIVE", "SPENT", "EXPIRED", "REVERSED"},
    "points_cause.": {*CAUSES, "PURCHASE", "RETURN", "REDEMPTION", "TIME"},
    "campaign_kind.": names(campaign_service_pb2.Campaign.Kind, "KIND_"),
    "campaign_state.": names(campaign_service_pb2.Campaign.State, "STATE_"),
    "win_back_state.": names(win_back_service_pb2.WinBack.State, "STATE_"),
    "win_back_cause.": {"UNSPECIFIED", *names(win_back_service_pb2.WinBack.Cause, "CAUSE_")},
    "preference.": {"INTEREST", "CHANNEL", "REGION"},
    "barred.": set(campaigns.BARRED),
    "message_state.": {"HELD_BACK", "PLANNED", "LEAVING", "SENT", "SUPPRESSED", "FAILED"},
    "segment_field.": set(segment.FIELDS),
    "segment_test.": {test.value for test in segment.Test},
    "privacy_kind.": names(privacy_service_pb2.DataRequest.Kind, "KIND_"),
    "privacy_state.": names(privacy_service_pb2.DataRequest.State, "STATE_"),
}


def test_the_builder_of_segments_knows_what_crm_asks_about() -> None:
    assert dict(segments.FIELDS) == {field: kind.value for field, kind in segment.FIELDS.items()}


def test_both_catalogues_have_the_same_keys_and_no_blank() -> None:
    chinese, english = keys("zh_CN"), keys("en")
    assert chinese.keys() == english.keys()
    assert [key for catalogue in (chinese, english) for key, words in catalogue.items() if not words.strip()] == []


def test_both_languages_fill_the_same_placeholders() -> None:
    def holes(words: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(words) if name is not None}

    chinese, english = keys("zh_CN"), keys("en")
    assert [key for key in chinese if holes(chinese[key]) != holes(english[key])] == []


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_key_that_a_template_uses_has_words(language: str) -> None:
    known = keys(language)
    missing = [(template, key) for template, key in used() if not key.endswith("*") and key not in known]
    assert missing == []


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("prefix", DYNAMIC)
def test_every_value_of_a_dynamic_key_has_words(prefix: str, language: str) -> None:
    known = keys(language)
    assert [value for value in DYNAMIC[prefix] if f"{prefix}{value}" not in known] == []


def test_no_key_is_left_over() -> None:
    wanted = {key for _, key in used()} | in_python()
    wanted |= {f"{prefix}.*" for prefix in conversations.SUBJECTS.values()}
    prefixes = tuple(key.removesuffix("*") for key in wanted if key.endswith("*"))
    assert [key for key in keys("en") if key not in wanted and not key.startswith(prefixes)] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_words_of_their_own(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    data = "".join(
        value if kind == "data" else "\0"
        for _, kind, value in ENVIRONMENT.lex(source)
        if kind in ("data", "variable_begin")
    )
    data = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", data, flags=re.DOTALL)
    read_aloud = READ_ALOUD.findall(data)
    visible = re.sub(r"<[^>]*>", " ", data)
    words = set(re.findall(r"[^\W\d_]{2,}", visible)) - SAME
    assert (read_aloud, words) == ([], set())


def test_unknown_key_is_an_error_and_never_shown() -> None:
    with pytest.raises(KeyError, match="no words"):
        texts.texts("en")("no.such.key")


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("zh-Hans-CN", "zh_CN"),
        ("zh_CN", "zh_CN"),
        ("en-GB", "en"),
        ("EN", "en"),
        ("fr", None),
        ("", None),
        (None, None),
    ],
)
def test_best_language(tag: str | None, language: str | None) -> None:
    assert texts.best(tag) == language
