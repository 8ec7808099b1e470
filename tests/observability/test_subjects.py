"""A customer is told everything that any service knows of them, and once forgotten is found nowhere."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from services.kit.embedded import EmbeddedNats
from services.qa.domain.content import PART_BYTES, checksum_of
from tests.observability import test_canary as canary
from tests.observability.stack import SITE, Stack
from tests.observability.traffic import PNG, SONG, Done, erased, exported
from tests.unit.qa.test_content import MP4, box

MOST_SECONDS = 60.0  # the bound of an export
WHAT = ("name", "address", "calling", "first", "file", "need", "sound")


@dataclass
class Known:
    """A customer about whom every service knows something, and what they got to read."""

    file: str
    words: dict[str, str]
    phone: str
    recording: str
    show: bytes
    pages: list[Any]
    seconds: float


@pytest.fixture(scope="module")
def known(whole_stack: Stack, done: Done) -> Known:
    """Somebody with words, a file and a recording; told of them."""
    words = {what: f"金丝雀{what}{secrets.token_hex(SONG // 2)}" for what in WHAT}
    phone = f"139{secrets.randbelow(10**8):08d}"
    boss = whole_stack.person("boss", "manager")
    body = {"displayName": words["name"], "phone": phone, "address": words["address"]}
    file = whole_stack.rest("POST", f"sites/{SITE}/customers", boss, body)["name"]
    conversation = _conversation(whole_stack, file, words)
    show = MP4 + box(b"free", words["sound"].encode() + bytes(PART_BYTES * 9))
    recording = _recording(whole_stack, conversation, show)
    began = time.monotonic()
    pages = exported(whole_stack, file)
    return Known(file, words, phone, recording, show, pages, time.monotonic() - began)


@pytest.fixture(scope="module")
def forgotten(whole_stack: Stack, known: Known) -> Any:
    """The request by which they were forgotten."""
    return erased(whole_stack, known.file)


def _conversation(stack: Stack, file: str, words: dict[str, str]) -> str:
    token = stack.customer(file.rpartition("/")[2])
    body = {
        "conversation": {"channel": "CHANNEL_WEB", "queue": "ACCOUNT", "customerName": words["calling"]},
        "firstMessage": words["first"],
    }
    name = str(stack.rest("POST", f"sites/{SITE}/conversations", token, body)["name"])
    attachment = {"fileName": f"{words['file']}.png", "mediaType": "image/png"}
    stack.rest("POST", f"{name}/attachments", token, {"attachment": attachment, "content": PNG})
    stack.rest("POST", f"{name}/messages", token, {"message": {"text": words["need"]}})
    return name


def _recording(stack: Stack, conversation: str, show: bytes) -> str:
    """A call's recording, taken in by parts; qa knows by then whose conversation it is of."""
    admin, listed = stack.person("boss", "admin"), f"sites/{SITE}/recordings"
    body = {
        "kind": "KIND_VIDEO",
        "subject": conversation,
        "person": "wangfang",
        "channel": "WEB",
        "startTime": "2026-01-01T00:00:00Z",
        "endTime": "2026-01-01T00:05:00Z",
    }
    name = str(stack.rest("POST", listed, admin, body)["name"])
    about = {"mediaType": "video/mp4", "sizeBytes": len(show), "sha256": checksum_of(show)}
    parts = stack.rest("POST", f"{name}:startUpload", admin, about)["parts"]
    for number in range(1, parts + 1):
        piece = show[(number - 1) * PART_BYTES : number * PART_BYTES]
        content = {"content": base64.b64encode(piece).decode(), "sha256": hashlib.sha256(piece).hexdigest()}
        stack.rest("POST", f"{name}:uploadPart", admin, {"number": number, **content})
    assert stack.rest("POST", f"{name}:completeUpload", admin, {})["state"] == "STATE_AVAILABLE"
    return name


def test_an_export_has_what_every_service_knows(known: Known) -> None:
    content = base64.b64decode(known.pages[0]["content"]).decode()
    told = json.loads(content)
    assert told["intake"]["conversations"][0]["customer_name"] == known.words["calling"]
    assert [one["text"] for one in told["intake"]["messages"]] == [known.words["first"], known.words["need"]]
    assert told["intake"]["attachments"][0]["file_name"] == f"{known.words['file']}.png"
    assert told["qa"]["recordings"][0]["recording_id"] == known.recording.rpartition("/")[2]
    assert {what for what, word in known.words.items() if word not in content} == {"sound"}
    assert known.phone in content
    assert known.seconds <= MOST_SECONDS


def test_an_export_has_every_file_whole_over_as_many_pages_as_it_takes(known: Known) -> None:
    assert len(known.pages) > 1
    assert [bool(page.get("content")) for page in known.pages] == [True] + [False] * (len(known.pages) - 1)
    files: dict[str, bytes] = {}
    for one in (one for page in known.pages for one in page.get("files", [])):
        got = files.get(one["name"], b"")
        assert int(one.get("offset", 0)) == len(got)
        files[one["name"]] = got + base64.b64decode(one["content"])
    image = [content for name, content in files.items() if name.startswith("intake/")]
    assert image == [base64.b64decode(PNG)]
    assert files[f"qa/recordings/{known.recording.rpartition('/')[2]}"] == known.show


def test_nothing_is_told_that_was_not_granted(whole_stack: Stack, known: Known) -> None:
    boss = whole_stack.person("boss", "manager")
    asked = {"customer": known.file, "kind": "KIND_EXPORT"}
    request = whole_stack.rest("POST", f"sites/{SITE}/dataRequests", boss, asked)["name"]
    refused = whole_stack.ask("POST", f"{request}:fetchExport", boss, {})
    assert (refused.status_code, refused.json()["reason"]) == (409, "WRONG_STATE")


def test_who_is_forgotten_is_in_no_database(whole_stack: Stack, known: Known, forgotten: Any) -> None:
    assert {proof["service"] for proof in forgotten["proofs"]} == {"crm", "gateway", "intake", "qa"}
    with ThreadPoolExecutor(1) as beside:
        tables = beside.submit(lambda: asyncio.run(canary._tables(whole_stack))).result()
    assert {name for name, rows in tables.items() if _has(rows, known)} == set()
    assert any(known.file.rpartition("/")[2] in rows for rows in tables.values())  # ids stay, and the search works


def test_who_is_forgotten_is_in_no_log_and_no_object(whole_stack: Stack, known: Known, forgotten: Any) -> None:
    places = [*whole_stack.home.logs.glob("*.log"), *(one for one in _objects(whole_stack))]
    assert len(places) > 5
    assert {place.name for place in places if _has(place.read_bytes(), known)} == set()
    admin = whole_stack.person("boss", "admin")
    played = whole_stack.ask("POST", f"{known.recording}/playbacks", admin, {})
    assert played.status_code == 409  # the key is destroyed, whatever object is still there


async def test_who_is_forgotten_is_in_no_event(whole_stack: Stack, known: Known, forgotten: Any) -> None:
    messages = [data async for data in canary._stream(EmbeddedNats(whole_stack.home.nats).url)]
    assert len(messages) > 10
    assert not [data for data in messages if _has(data, known)]


def _objects(stack: Stack) -> Iterator[Any]:
    return (one for one in stack.home.objects.rglob("*") if one.is_file())


def _has(text: str | bytes, known: Known) -> bool:
    data = text.encode() if isinstance(text, str) else text
    ends = [word[-SONG:].encode() for word in known.words.values()]
    return any(one in data or one.hex().encode() in data for one in (*ends, known.phone.encode()))
