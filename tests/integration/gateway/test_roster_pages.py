"""What a planner typed is there again when it was refused."""

from __future__ import annotations

from services.gateway.app import Parts, create_app
from services.gateway.console.pages import console_blueprint, error_page
from tests.integration.gateway.conftest import PASSWORD, SITE
from tests.integration.gateway.test_care_pages import Reader


def test_a_refused_question_keeps_its_words(parts: Parts) -> None:
    reader = Reader(create_app(parts, pages=console_blueprint, error_page=error_page).test_client(), "en")
    signed = reader.post("/sign-in", reader.get("/sign-in"), {"user_name": "admin", "password": PASSWORD})
    assert signed.status_code == 303
    page = reader.get(f"/s/{SITE}/rosters")
    given = {
        "first_day": "2026-12-07",
        "weeks": "2",
        "seconds": "45",
        "requirements": "start,skill,people\nnoon,GENERAL,2",
    }
    refused = reader.post(f"/s/{SITE}/rosters", page, given)
    assert refused.status_code == 422
    assert "line 2" in refused.text
    assert "noon,GENERAL,2</textarea>" in refused.text
    for kept in ("2026-12-07", "2", "45"):
        assert f'value="{kept}"' in refused.text
