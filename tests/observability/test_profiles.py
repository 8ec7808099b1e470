"""A bad profile file changes nothing but says so; a good one is in force, and in the metrics, within seconds."""

from __future__ import annotations

from functools import partial

from tests.observability.stack import PROMISE_SECONDS, SITE, Stack, promise, until
from tests.observability.traffic import Done

OTHER_SECONDS = 45


def threshold(stack: Stack) -> float:
    """The promise of general enquiries as the alert rules see it."""
    return stack.sample("intake", "kefu_sla_threshold_seconds", site=SITE, queue="GENERAL")


def test_a_refused_file_leaves_the_running_version_and_shows(whole_stack: Stack, done: Done) -> None:
    stack, file = whole_stack, whole_stack.profiles / f"{SITE}.yaml"
    good = file.read_text(encoding="utf-8")
    before = stack.rest("GET", done.served, stack.person("boss", "supervisor"))["profileVersion"]
    try:
        file.write_text(good.replace("reply_gap_s: 120", "reply_gap_s: soon"), encoding="utf-8")
        for service in ("intake", "staffing", "crm", "qa"):
            until(partial(_refused, stack, service), f"{service} to refuse it")
            assert stack.sample(service, "kefu_profile_reloads_total", outcome="refused") == 1
            assert f"{SITE}.yaml" in _log(stack, service)
        assert threshold(stack) == PROMISE_SECONDS
        opened = stack.rest(
            "POST",
            f"sites/{SITE}/conversations",
            stack.customer("c-still-served"),
            {"conversation": {"channel": "CHANNEL_WEB"}, "firstMessage": "hello"},
        )
        assert opened["profileVersion"] == before
    finally:
        file.write_text(good, encoding="utf-8")
    until(lambda: stack.sample("intake", "kefu_profile_faults") == 0, "the good file to be taken again")


def test_a_new_promise_is_in_force_and_in_the_metrics(whole_stack: Stack, done: Done) -> None:
    stack, since = whole_stack, "kefu_profile_effective_timestamp_seconds"
    assert stack.sample("intake", since, site=SITE) == stack.sample("staffing", since, site=SITE) > 0
    try:
        promise(stack.profiles, OTHER_SECONDS)
        until(lambda: threshold(stack) == OTHER_SECONDS, "the new promise")
    finally:
        promise(stack.profiles, PROMISE_SECONDS)
    until(lambda: threshold(stack) == PROMISE_SECONDS, "the old promise")
    assert done.served


def _refused(stack: Stack, service: str) -> bool:
    return stack.sample(service, "kefu_profile_faults") > 0


def _log(stack: Stack, service: str) -> str:
    lines = (stack.home.logs / f"{service}.log").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if "profile refused" in line)
