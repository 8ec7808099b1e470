"""From a customer's words to a reviewer's screen: recorded by itself, masked, audited, and played by ranges."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import replace
from typing import Any

from services.gateway.app import Parts, create_app
from services.gateway.console.pages import console_blueprint, error_page
from services.kit.testing.polling import eventually
from services.qa.domain.content import PART_BYTES, checksum_of
from tests.integration.gateway.conftest import PASSWORD, SITE, Browser, new_id, token_of
from tests.unit.qa.test_content import MP4, box

SHOW = MP4 + box(b"free", bytes(range(256)) * 6_000)
# A queue of their own: what other tests leave waiting in the general one would fill whoever comes on duty.
QUEUE = "ACCOUNT"


def employed(admin: Browser, person: str) -> str:
    """Somebody who takes conversations; returns their id."""
    made = admin.post(
        f"/v1/sites/{SITE}/people?personId={person}",
        {"displayName": "李强", "grade": "GRADE_SENIOR", "skills": [QUEUE], "capacity": 5, "certified": True},
    )
    assert made.status_code == 200, made.text
    return person


def served(parts: Parts, admin: Browser, words: str, person: str) -> str:
    """A conversation that somebody served and closed; returns its name."""
    agent = replace(admin, token=token_of(parts, person, {SITE: frozenset({"agent"})}))
    about = {"channel": "CHANNEL_WEB", "customer": new_id("c"), "queue": QUEUE}
    body = {"conversation": about, "firstMessage": words}
    opened = admin.post(f"/v1/sites/{SITE}/conversations", body)
    assert opened.status_code == 200, opened.text
    name = str(opened.json["name"])

    def accepted() -> bool:
        agent.post(f"/v1/sites/{SITE}/people/{person}:setPresence", {"state": "STATE_AVAILABLE"})
        return bool(agent.post(f"/v1/{name}:accept").status_code == 200)

    asyncio.run(eventually(accepted))
    assert agent.post(f"/v1/{name}:recordNeed", {"need": "物流", "source": "SEARCH"}).status_code == 200
    agent.post(f"/v1/{name}/messages", {"message": {"text": "好的，马上查"}})
    closing = {"summary": "已查", "askedAnythingElse": True, "farewell": True}
    closed = agent.post(f"/v1/{name}:close", closing)
    assert closed.status_code == 200, closed.text
    # Whoever stays would be offered what the next one waits for.
    left = agent.post(f"/v1/sites/{SITE}/people/{person}:setPresence", {"state": "STATE_OFFLINE"})
    assert left.status_code == 200, left.text
    return name


def test_what_a_customer_wrote_is_reviewed_without_what_tells_who_they_are(parts: Parts, admin: Browser) -> None:
    name = served(parts, admin, "我的手机是13800138000，单子呢", employed(admin, new_id()))
    reviewer = replace(admin, token=token_of(parts, "rita", {SITE: frozenset({"reviewer"})}))
    supervisor = replace(admin, token=token_of(parts, "sam", {SITE: frozenset({"supervisor"})}))

    def recorded() -> list[dict[str, Any]]:
        found = reviewer.get(f"/v1/sites/{SITE}/recordings?pageSize=500").json.get("recordings", [])
        return [one for one in found if one["subject"] == name]

    asyncio.run(eventually(recorded))
    (recording,) = recorded()
    opened = reviewer.post(f"/v1/{recording['name']}/playbacks").json
    shown = reviewer.get(f"/v1/{opened['name']}:transcript").json
    assert shown["masked"] is True
    assert shown["lines"][0]["text"] == "我的手机是***，单子呢"
    assert shown["lines"][-1]["text"] == "好的，马上查"
    refused = reviewer.post(f"/v1/{recording['name']}/playbacks", {"unmasked": True, "reason": "dispute"})
    assert refused.status_code == 403
    assert supervisor.post(f"/v1/{recording['name']}/playbacks", {"unmasked": True}).status_code == 400
    opened = supervisor.post(f"/v1/{recording['name']}/playbacks", {"unmasked": True, "reason": "dispute"}).json
    shown = supervisor.get(f"/v1/{opened['name']}:transcript").json
    assert shown["lines"][0]["text"] == "我的手机是13800138000，单子呢"


def test_a_video_is_uploaded_by_rest_and_played_in_ranges(parts: Parts, admin: Browser) -> None:
    body = {
        "kind": "KIND_VIDEO",
        "subject": f"sites/{SITE}/liveSessions/{new_id()}",
        "person": "host",
        "channel": "LIVE",
        "startTime": "2026-01-01T00:00:00Z",
        "endTime": "2026-01-01T02:00:00Z",
    }
    name = admin.post(f"/v1/sites/{SITE}/recordings", body).json["name"]
    about = {"mediaType": "video/mp4", "sizeBytes": len(SHOW), "sha256": checksum_of(SHOW)}
    assert admin.post(f"/v1/{name}:startUpload", about).json["parts"] == 2
    for number in (1, 2):
        piece = SHOW[(number - 1) * PART_BYTES : number * PART_BYTES]
        content = {"content": base64.b64encode(piece).decode(), "sha256": hashlib.sha256(piece).hexdigest()}
        taken = admin.post(f"/v1/{name}:uploadPart", {"number": number, **content})
        assert taken.status_code == 200, taken.text
    assert admin.post(f"/v1/{name}:completeUpload").json["state"] == "STATE_AVAILABLE"
    browser = Browser(create_app(parts, pages=console_blueprint, error_page=error_page).test_client())
    signed_in(browser)
    page = f"/s/{SITE}/recordings/{name.rpartition('/')[2]}"
    token = browser.get(page).text.split('name="csrf_token" value="')[1].split('"')[0]
    opened = browser.form(f"{page}/open", csrf_token=token)
    assert opened.status_code == 303, opened.text
    media = f"{page}/media/{opened.headers['Location'].rpartition('playback=')[2]}"
    whole = browser.get(media)
    assert (whole.status_code, whole.headers["Accept-Ranges"]) == (200, "bytes")
    assert whole.data == SHOW
    part = browser.get(media, Range="bytes=1048570-1048590")
    assert (part.status_code, part.data) == (206, SHOW[1048570:1048591])
    assert part.headers["Content-Range"] == f"bytes 1048570-1048590/{len(SHOW)}"
    assert browser.get(media, Range="bytes=-7").data == SHOW[-7:]
    assert browser.get(media, Range=f"bytes={len(SHOW)}-").status_code == 416


def signed_in(browser: Browser) -> None:
    """The administrator at the console."""
    token = browser.get("/sign-in").text.split('name="csrf_token" value="')[1].split('"')[0]
    done = browser.form("/sign-in", csrf_token=token, user_name="admin", password=PASSWORD)
    assert done.status_code == 303, done.text
