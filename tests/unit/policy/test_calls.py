from typing import Any

import pytest

from services.policy.calls import Calls, CallsError
from services.stack.home import SERVICES


def test_the_list_names_every_service() -> None:
    assert Calls.read().services == set(SERVICES)


def test_edges_and_callers() -> None:
    calls = Calls.of({"a": {"calls": ["b"], "hears": ["a", "b"]}, "b": {"calls": [], "hears": []}})
    assert calls.edges == {("a", "b")}
    assert calls.events == {("a", "a"), ("b", "a")}
    assert calls.callers_of("b") == {"a"}
    assert calls.callers_of("a") == set()


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], "expected a mapping"),
        ({}, "expected a mapping"),
        ({"a": {"calls": []}}, "a: expected exactly"),
        ({"a": {"calls": ["z"], "hears": []}}, "a.calls: z is no service"),
        ({"a": {"calls": [], "hears": ["z"]}}, "a.hears: z is no service"),
        ({"a": {"calls": ["a"], "hears": []}}, "does not call itself"),
    ],
)
def test_a_wrong_list_is_refused(document: Any, fault: str) -> None:
    with pytest.raises(CallsError, match=fault):
        Calls.of(document)
