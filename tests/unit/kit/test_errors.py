"""The error tree on the wire and back, and its words in both languages."""

from __future__ import annotations

import string

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from kefu.common.v1 import errors_pb2

from services.kit import errors
from services.kit.errors import (
    FieldViolation,
    Internal,
    InvalidArgument,
    KefuError,
    NotFound,
    ResourceExhausted,
    Unavailable,
    choose_locale,
    from_rpc_error,
    from_status,
    to_status,
)
from services.kit.errors.texts import LOCALES, catalogue

REASONS = sorted(name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.keys())  # noqa: SIM118 - no dict
KINDS = [getattr(errors, name) for name in errors.__all__ if isinstance(getattr(errors, name), type)]
KINDS = [kind for kind in KINDS if issubclass(kind, KefuError) and kind is not KefuError]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("locale", LOCALES)
def test_every_reason_has_its_words(locale: str) -> None:
    assert sorted(catalogue(locale)) == REASONS


@pytest.mark.parametrize("reason", REASONS)
def test_both_languages_say_the_same_things(reason: str) -> None:
    chinese, english = (catalogue(locale)[reason] for locale in LOCALES)
    assert placeholders(chinese) == placeholders(english)
    assert any("\u4e00" <= character <= "\u9fff" for character in chinese)
    assert english.isascii()


@pytest.mark.parametrize("kind", KINDS)
def test_each_class_has_a_code_and_a_reason_of_its_own(kind: type[KefuError]) -> None:
    assert kind.code is not grpc.StatusCode.UNKNOWN
    assert kind.usual_reason != errors_pb2.ERROR_REASON_UNSPECIFIED
    assert sum(other.code is kind.code for other in KINDS) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(kind: type[KefuError]) -> None:
    error = kind(
        errors_pb2.ERROR_REASON_LIMIT_REACHED,
        {"limit": "3"},
        fields=[FieldViolation("conversation.queue", "is too long", "string.max_len")],
        retry_after=1.5,
    )
    back = from_status(status_pb2.Status.FromString(to_status(error, "en").SerializeToString()))
    assert type(back) is kind
    assert (back.reason, back.metadata, back.fields, back.retry_after) == (
        error.reason,
        error.metadata,
        error.fields,
        error.retry_after,
    )
    assert str(back) == str(error)


def test_exactly_one_error_info_and_the_callers_language() -> None:
    status = to_status(InvalidArgument.field("name", "is empty"), "zh-CN")
    infos = [detail for detail in status.details if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    assert len(infos) == 1
    words = error_details_pb2.LocalizedMessage()
    assert status.details[-1].Unpack(words)
    assert "以下字段不符合要求：name" in words.message
    assert status.message.startswith("These fields are not valid: name.")


def test_a_thousand_faults_fit_into_the_trailers() -> None:
    many = [FieldViolation(f"messages[{index}].text", "must be shorter " * 100) for index in range(1000)]
    assert len(to_status(InvalidArgument(fields=many), "zh-CN").SerializeToString()) < 8192


def test_missing_word_does_not_hide_the_refusal() -> None:
    assert to_status(NotFound(), "en").message == "Nothing was found under –. Check the name and the site."


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ResourceExhausted),
        (grpc.StatusCode.UNKNOWN, Internal),
        (grpc.StatusCode.UNIMPLEMENTED, Internal),
        (grpc.StatusCode.CANCELLED, Unavailable),
    ],
)
def test_bare_code_of_a_foreign_server(code: grpc.StatusCode, kind: type[KefuError]) -> None:
    error = from_rpc_error(code, "whatever", None)
    assert type(error) is kind
    assert error.reason == kind.usual_reason


def test_every_code_of_grpc_has_a_class() -> None:
    for code in grpc.StatusCode:
        if code is not grpc.StatusCode.OK:
            assert isinstance(from_rpc_error(code, "", None), KefuError)


def test_reason_of_a_newer_service_keeps_the_class() -> None:
    status = status_pb2.Status(code=grpc.StatusCode.NOT_FOUND.value[0])
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="NEVER_HEARD_OF", domain="kefu"))
    error = from_status(status)
    assert isinstance(error, NotFound)
    assert error.reason == errors_pb2.ERROR_REASON_NOT_FOUND


@pytest.mark.parametrize(
    ("wanted", "locale"),
    [
        ("en", "en"),
        ("en-US,en;q=0.9", "en"),
        ("zh-TW", "zh-CN"),
        ("fr-FR, en;q=0.5", "en"),
        ("", "zh-CN"),
        (",;", "zh-CN"),
    ],
)
def test_choose_locale(wanted: str, locale: str) -> None:
    assert choose_locale(wanted) == locale
