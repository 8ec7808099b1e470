"""A little of everything through the public API, with strings that nothing may remember but the rows they belong to."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import Metric

from services.stack import demo, processes
from tests.observability.stack import SITE, Stack, until

# Characters at the end of a canary that nothing else has.
SONG = 12
PNG = "iVBORw0KGgo="
SHOP = "taobao-shop"  # whose profile has points and currencies
WHAT = (
    *("name", "subject", "first", "said", "note", "need", "summary", "file", "reason", "comment"),
    *("followup", "outcome", "colleague", "declined"),
)


@dataclass(frozen=True)
class Done:
    """What the traffic left: canaries by what they were, conversations, traces, and intake's metrics at that moment.

    `trace_id` is the slow conversation's trace, `followed` that of a stream about it.
    """

    canaries: dict[str, str]
    served: str
    breached: str
    trace_id: str
    followed: str
    intake: dict[str, Metric]


def drive(stack: Stack) -> Done:
    """Let one promise break unanswered, answer another one late, and take it through everything."""
    canaries = {what: f"金丝雀{what}{secrets.token_hex(SONG // 2)}" for what in WHAT}
    trace_id = secrets.token_hex(16)
    traced = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    quiet, waiting = (f"c-{secrets.token_hex(4)}" for _ in range(2))
    breached = _open(stack, quiet, {}, queue="ACCOUNT")
    slow = _open(stack, waiting, traced, canaries=canaries)
    until(lambda: stack.sample("intake", "kefu_sla_total", outcome="breached") >= 2, "both promises to break")
    _act(stack, quiet, breached, "leave")
    _present(stack, "wangfang")
    _serve(stack, slow, waiting, canaries)
    _play(stack, slow)
    _tell_and_forget(stack)
    _buy(stack)
    _review(stack)
    _listen(stack)
    followed = _follow(stack, slow, waiting)
    _sign_in(stack, "wangfang", demo.password(stack.home, "wangfang"))
    _sign_in(stack, "wangfang", "wrong")
    return Done(canaries, slow, breached, trace_id, followed, stack.scrape("intake"))


def _open(
    stack: Stack, customer: str, headers: dict[str, str], *, queue: str = "", canaries: dict[str, str] | None = None
) -> str:
    canary = canaries or dict.fromkeys(WHAT, "")
    conversation = {
        "channel": "CHANNEL_WEB",
        "queue": queue,
        "customerName": canary["name"],
        "subject": canary["subject"],
    }
    body = {"conversation": conversation, "firstMessage": canary["first"] or "hello"}
    made = stack.rest("POST", f"sites/{SITE}/conversations", stack.customer(customer), body, **headers)
    return str(made["name"])


def _act(stack: Stack, who: str, name: str, action: str, **body: Any) -> Any:
    token = stack.customer(who) if who.startswith("c-") else stack.person(who, "agent", "supervisor")
    return stack.rest("POST", f"{name}:{action}", token, body)


def _say(stack: Stack, who: str, name: str, text: str, **more: Any) -> None:
    token = stack.customer(who) if who.startswith("c-") else stack.person(who)
    stack.rest("POST", f"{name}/messages", token, {"message": {"text": text, "kind": "KIND_TEXT", **more}})


def _present(stack: Stack, person: str) -> None:
    body = {"state": "STATE_AVAILABLE"}
    stack.rest("POST", f"sites/{SITE}/people/{person}:setPresence", stack.person(person), body)


def _offered(stack: Stack, name: str) -> str:
    """Who has it, once somebody does."""
    boss = stack.person("boss", "supervisor")
    return str(until(lambda: stack.rest("GET", name, boss).get("assignee"), f"somebody to get {name}"))


def _serve(stack: Stack, name: str, customer: str, canaries: dict[str, str]) -> None:
    first = _offered(stack, name)
    _act(stack, first, name, "accept")
    _say(stack, first, name, canaries["said"])
    _say(stack, first, name, canaries["note"], kind="KIND_NOTE")
    _act(stack, first, name, "recordNeed", need=canaries["need"], source="SEARCH")
    attachment = {"fileName": f"{canaries['file']}.png", "mediaType": "image/png"}
    stack.rest("POST", f"{name}/attachments", stack.customer(customer), {"attachment": attachment, "content": PNG})
    _say(stack, customer, name, canaries["colleague"])
    _say(stack, first, name, "one moment")
    other = ({"wangfang", "zhangwei"} - {first}).pop()
    _present(stack, other)
    handed = {"person": other, "reason": canaries["reason"]}
    until(
        lambda: stack.ask("POST", f"{name}:transfer", stack.person(first), handed).is_success,
        "intake to know that the other one is there",
    )
    _act(stack, other, name, "decline", reason=canaries["declined"])
    second = _offered(stack, name)  # declined: whoever had it has it again
    _say(stack, second, name, "here I am")
    due = (datetime.fromtimestamp(time.time(), UTC) + timedelta(hours=2)).isoformat()
    follow_up = {"dueTime": due, "note": canaries["followup"], "person": second}
    made = stack.rest("POST", f"{name}/followUps", stack.person(second), {"followUp": follow_up})
    _act(stack, second, made["name"], "complete", outcome=canaries["outcome"])
    _act(
        stack,
        second,
        name,
        "close",
        summary=canaries["summary"],
        askedAnythingElse=True,
        farewell=True,
        need=canaries["need"],
        source="SEARCH",
    )
    _act(stack, customer, name, "rate", score=5, comment=canaries["comment"])


def _play(stack: Stack, conversation: str) -> None:
    """Read the transcript of a conversation that has ended, which qa keeps as a recording and asks intake for."""
    token = stack.person("boss", "supervisor")

    def recorded() -> str:
        found = stack.rest("GET", f"sites/{SITE}/recordings", token).get("recordings", ())
        return next((str(one["name"]) for one in found if one.get("subject") == conversation), "")

    recording = until(recorded, "the recording of a conversation that has ended")
    playback = stack.rest("POST", f"{recording}/playbacks", token, {})["name"]
    assert stack.rest("GET", f"{playback}:transcript", token)["lines"]


def _tell_and_forget(stack: Stack) -> None:
    """Tell a customer what is known of them, and forget it: every service takes part in both."""
    first = stack.person("boss", "manager")
    file = stack.rest("POST", f"sites/{SITE}/customers", first, {"displayName": "somebody"})["name"]
    exported(stack, file)
    erased(stack, file)


def exported(stack: Stack, file: str) -> list[Any]:
    """The pages of what a customer is told, once two people have granted it."""
    second = stack.person("lead", "manager")
    request, token = _granted(stack, file, "KIND_EXPORT"), ""
    pages: list[Any] = []
    while not pages or token:
        pages.append(stack.rest("POST", f"{request}:fetchExport", second, {"pageToken": token}))
        token = pages[-1].get("nextPageToken", "")
    return pages


def erased(stack: Stack, file: str) -> Any:
    """The request by which a customer was forgotten, with every service's proof."""
    second = stack.person("lead", "manager")
    request = _granted(stack, file, "KIND_ERASURE")
    until(lambda: stack.rest("GET", request, second)["state"] == "STATE_FULFILLED", "every service to forget")
    return stack.rest("GET", request, second)


def _granted(stack: Stack, file: str, kind: str) -> str:
    first, second = (stack.person(name, "manager") for name in ("boss", "lead"))
    asked = {"customer": file, "kind": kind}
    request = stack.rest("POST", f"sites/{SITE}/dataRequests", first, asked)["name"]
    stack.rest("POST", f"{request}:verify", first, {"note": "by telephone"})
    stack.rest("POST", f"{request}:fulfil", second, {})
    return str(request)


def _buy(stack: Stack) -> None:
    """Purchases that earn points and lift the buyer's tier: enough money, orders and active days."""
    now = datetime.fromtimestamp(time.time(), UTC)
    sold = {"line": "1", "kind": "KIND_SALE", "buyer": "b-1", "quantity": 1, "amount": "100000", "currency": "CNY"}
    lines = [{**sold, "order": f"o-{days}", "time": (now - timedelta(days=days)).isoformat()} for days in range(1, 9)]
    body = {"source": "SHOP", "lines": lines}
    stack.rest("POST", f"sites/{SHOP}/orders:record", stack.manager("boss", SHOP), body)
    until(lambda: stack.scrape("crm")["kefu_crm_points_liability"].samples, "the points to be summed")


def _review(stack: Stack) -> None:
    """A recording is assigned for review, by a rubric that two people made."""
    first, second = (stack.person(name, "manager") for name in ("boss", "lead"))
    criterion = {"id": "dialogue", "titleZh": "对话质量", "titleEn": "Dialogue", "weight": 100}
    rubric = {"rubric": {"series": "conversations", "criteria": [criterion]}}
    made = stack.rest("POST", f"sites/{SITE}/rubrics", first, rubric)["name"]
    stack.rest("POST", f"{made}:publish", second, {})
    member = f"sites/{SITE}/members/rob"
    stack.rest("POST", f"{member}:set", first, {"member": {"name": member, "reviewer": True}})
    listed = f"sites/{SITE}/recordings"
    until(lambda: stack.rest("GET", listed, first).get("recordings"), "a conversation to leave its recording")
    check = {"number": 50, "days": 1, "reason": "all of today"}
    drawn = stack.rest("POST", f"sites/{SITE}/draws:spotCheck", first, check)["name"]
    names = [one["recording"] for one in stack.rest("GET", f"{drawn}/samples", first)["samples"]]
    assign = {"recordings": names, "series": "conversations", "origin": "ORIGIN_AD_HOC"}
    stack.rest("POST", f"sites/{SITE}/reviews:assign", first, assign)


def _listen(stack: Stack) -> None:
    """Hear one line of the site's live updates."""
    url = f"http://{stack.home.address('stream')}/v1/sites/{SITE}:watch"
    headers = {"Authorization": f"Bearer {stack.person('wangfang')}"}
    with stack.http.stream("GET", url, headers=headers) as reply:
        assert reply.status_code == 200
        assert next(reply.iter_lines()).startswith("retry:")


def _follow(stack: Stack, name: str, customer: str) -> str:
    """Hear the beginning of one conversation's own updates, as its customer's page does; the trace's id."""
    trace_id = secrets.token_hex(16)
    url = f"http://{stack.home.address('stream')}/v1/{name}:watch"
    headers = {
        "Authorization": f"Bearer {stack.customer(customer)}",
        "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
    }
    with stack.http.stream("GET", url, headers=headers) as reply:
        assert reply.status_code == 200
        assert next(reply.iter_lines()).startswith("retry:")
    return trace_id


def _sign_in(stack: Stack, user: str, password: str) -> None:
    page = stack.http.get(f"{processes.console_url(stack.home)}/sign-in")
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found is not None
    form = {"user_name": user, "password": password, "csrf_token": found[1]}
    stack.http.post(f"{processes.console_url(stack.home)}/sign-in", data=form)
    stack.http.cookies.clear()
