"""What a person sees when a page cannot be shown."""

from __future__ import annotations

from typing import Final

from flask import g, render_template, request

from services.gateway.console.formats import Formats
from services.gateway.console.shell import LANGUAGE_COOKIE, asset
from services.gateway.console.texts import DEFAULT, LANGUAGES, best, texts
from services.kit.errors import KefuError
from services.kit.errors.texts import text

_HEADINGS: Final = {400: "error.400", 403: "error.403", 404: "error.404", 503: "error.503", 504: "error.503"}


def error_page(error: KefuError, status: int) -> str:
    """An error in the reader's language: what happened and what to do."""
    language = best(request.cookies.get(LANGUAGE_COOKIE)) or best(g.get("locale")) or DEFAULT
    words = texts(language)
    explain = text(error.reason_name, language.replace("_", "-"), error.metadata)
    return render_template(
        "pages/error.html",
        heading=words(_HEADINGS.get(status, "error.400" if status < 500 else "error.500")),
        text=words("error.404_text") if status == 404 else explain,
        t=words,
        f=Formats(words, "UTC"),
        lang=language,
        lang_tag="zh-CN" if language == "zh_CN" else language,
        languages=LANGUAGES,
        now_ms="",
        csrf="",
        asset=asset,
    )
