"""The privacy desk hands a customer everything in one archive: what is known, and every file."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from dataclasses import replace
from typing import Any

from services.gateway.app import Parts, create_app
from services.gateway.console.pages import console_blueprint, error_page
from services.kit.testing.polling import eventually
from tests.integration.gateway.conftest import PASSWORD, SITE, Browser, add_account, new_id, token_of
from tests.integration.gateway.test_care_pages import Reader

PNG = "iVBORw0KGgo="


def test_an_export_is_one_archive_of_words_and_files(parts: Parts, admin: Browser) -> None:
    customer = admin.post(f"/v1/sites/{SITE}/customers", {"displayName": "李雷"}).json["name"]
    chat = replace(admin, token=parts.issuer.channel(site=SITE, channel="WEB", customer=customer.rpartition("/")[2]))
    asked = {"conversation": {"channel": "CHANNEL_WEB"}, "firstMessage": "退货怎么办"}
    conversation = chat.post(f"/v1/sites/{SITE}/conversations", asked).json["name"]
    picture = {"attachment": {"fileName": "单据.png", "mediaType": "image/png"}, "content": PNG}
    assert chat.post(f"/v1/{conversation}/attachments", picture).status_code == 200
    request = admin.post(f"/v1/sites/{SITE}/dataRequests", {"customer": customer, "kind": "KIND_EXPORT"}).json["name"]
    assert admin.post(f"/v1/{request}:verify", {"note": "by telephone"}).status_code == 200
    lead = replace(admin, token=token_of(parts, "lead", {SITE: frozenset({"manager"})}))
    assert lead.post(f"/v1/{request}:fulfil").status_code == 200

    name = new_id("officer")
    parts.runtime.run(add_account, parts, name, {SITE: ["manager"]})
    officer = Reader(create_app(parts, pages=console_blueprint, error_page=error_page).test_client(), "zh-CN")
    signed = officer.post("/sign-in", officer.get("/sign-in"), {"user_name": name, "password": PASSWORD})
    assert signed.status_code == 303
    path = f"/s/{SITE}/privacy/{request.rpartition('/')[2]}/export"
    page = officer.get(f"/s/{SITE}/privacy")
    assert path in page
    replies: list[Any] = []

    def fetched() -> bool:
        replies[:] = [officer.post(path, page, {})]  # a refusal is a page
        return bool(replies[0].status_code == 200)

    asyncio.run(eventually(fetched))  # until every service has heard that it was granted
    assert replies[0].headers["Content-Disposition"].startswith("attachment;")
    assert "no-" in replies[0].headers["Cache-Control"]
    with zipfile.ZipFile(io.BytesIO(replies[0].data)) as archive:
        told = json.loads(archive.read("data.json"))
        (image,) = set(archive.namelist()) - {"data.json"}
        assert archive.read(image).startswith(b"\x89PNG")
    replies[0].close()
    assert image.startswith("intake/")
    assert image.endswith(".png")
    assert [one["text"] for one in told["intake"]["messages"]] == ["退货怎么办"]
    assert told["files"][0]["display_name"] == "李雷"
