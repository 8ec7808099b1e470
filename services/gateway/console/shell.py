"""What every page shares: language, formats, the frame, rendering, and answers to htmx."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from flask import Response, g, render_template, request, url_for
from kefu.policy.v1.profile_pb2 import SiteProfile
from kefu.staffing.v1 import person_pb2

from services.gateway.console import views
from services.gateway.console.backend import Backend
from services.gateway.console.formats import Formats
from services.gateway.console.gate import Gate, SignedIn
from services.gateway.console.present import sites
from services.gateway.console.texts import DEFAULT, LANGUAGES, Texts, best, texts
from services.kit.errors import KefuError, NotFound, Unauthenticated
from services.kit.errors.texts import text

STATIC: Final = Path(__file__).resolve().parents[1] / "static"
LANGUAGE_COOKIE: Final = "kefu_language"
SITE_COOKIE: Final = "kefu_site"

# Page → endpoint, icon, permission without which the rail does not show it.
_RAIL: Final = {
    "desk": ("console.desk", "desk", "conversations.read"),
    "wallboard": ("console.wallboard", "board", "wallboard.read"),
    "conversations": ("console.conversations", "search", "conversations.read"),
    "customers": ("console.customers", "card", "customers.read"),
    "campaigns": ("console.campaigns", "send", "campaigns.read"),
    "win_backs": ("console.win_backs", "back", "winbacks.read"),
    "recordings": ("console.recordings", "play", "recordings.read"),
    "draws": ("console.draws", "check", "draws.read"),
    "reviews": ("console.reviews", "star", "reviews.read"),
    "scorecards": ("console.scorecards", "flag", "scorecards.read"),
    "rosters": ("console.rosters", "clock", "rosters.read"),
    "privacy": ("console.privacy", "shield", "customers.approve"),
    "report": ("console.report", "report", "reports.read"),
    "people": ("console.people", "people", "accounts.manage"),
    "integrations": ("console.integrations", "plug", "webhooks.manage"),
    "system": ("console.system", "system", "reports.read"),
}


class Shell:
    """The gate with everything that pages need around it."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def person(self) -> SignedIn:
        """Who is signed in; Unauthenticated otherwise."""
        person = self.gate.person()
        if person is None:
            raise Unauthenticated
        return person

    def site_ids(self) -> list[str]:
        """Sites at which the person has a role, in the profiles' order."""
        roles = self.person().roles
        return [site for site in self.profiles() if site in roles or "*" in roles]

    def profiles(self) -> Mapping[str, SiteProfile]:
        """The profiles in force, read once per request."""
        if "profiles" not in g:
            g.profiles = self.gate.profiles()
        found: Mapping[str, SiteProfile] = g.profiles
        return found

    def now(self) -> datetime:
        """The services' time, asked once per request."""
        if "now" not in g:
            g.now = self.gate.now()
        now: datetime = g.now
        return now

    def site(self, site: str) -> views.Site:
        """The site of this page; NotFound without a role there, so that nothing is said about other sites."""
        if site not in self.site_ids():
            raise NotFound(metadata={"name": f"sites/{site}"})
        return self.public_site(site)

    def public_site(self, site: str) -> views.Site:
        """A site for anybody (the chat page)."""
        profile = self.profiles().get(site)
        if profile is None:
            raise NotFound(metadata={"name": f"sites/{site}"})
        return sites.site(profile, self.language())

    def backend(self, site: str, *, visitor: bool = False) -> Backend:
        """Calls for a site."""
        return Backend(self.gate, site, visitor=visitor)

    def language(self) -> str:
        """The reader's language: what they chose, else their account's, else their browser's."""
        if "language" not in g:
            person = self.gate.person()
            accepted = [tag for tag, _ in request.accept_languages]
            wanted = [request.cookies.get(LANGUAGE_COOKIE), person.locale if person else None, *accepted]
            g.language = next((found for tag in wanted if (found := best(tag))), DEFAULT)
        return str(g.language)

    def words(self) -> Texts:
        """The reader's catalogue."""
        return texts(self.language())

    def formats(self, timezone: str) -> Formats:
        """Numbers and times for the reader."""
        return Formats(self.words(), timezone)

    def fault(self, error: KefuError) -> str:
        """A refused call in the reader's words: which field, or which rule, and what to do."""
        fields = "; ".join(f"{fault.field}: {fault.description}" for fault in error.fields)
        locale = self.language().replace("_", "-")
        return text(error.reason_name, locale, {"fields": fields, **error.metadata})

    def part(self, site: str) -> views.Frame:
        """The frame of a fragment: only the site, because nothing around it is drawn again."""
        person = self.person()
        return views.Frame(self.site(site), (), person.id, person.display_name, ())

    def frame(self, site: str, active: str) -> views.Frame:
        """What surrounds a page of a person at work."""
        person, view = self.person(), self.site(site)
        return views.Frame(
            site=view,
            sites=[views.Option(one, self.public_site(one).label) for one in self.site_ids()],
            person=person.id,
            display_name=person.display_name,
            nav=[
                views.NavItem(key, url_for(endpoint, site=site), icon, key == active)
                for key, (endpoint, icon, permission) in _RAIL.items()
                if self.gate.may(permission, site)
            ],
            presence=self.presence(site, person.id),
            simulation=self._simulation(),
            may_simulate=self.gate.may("simulation.manage", "*"),
            environment=self.gate.environment,
            stream=self.gate.stream_url,
        )

    def presence(self, site: str, person: str) -> str:
        """The person's presence at the site; empty for somebody who does not work there."""
        found = next((one for one in self.colleagues(site) if one.name.endswith(f"/people/{person}")), None)
        return presence_name(found.presence.state) if found and self.gate.may("presence.set", site) else ""

    def colleagues(self, site: str) -> list[person_pb2.Person]:
        """People of the site, read once per request; nobody for who may not see them."""
        if "colleagues" not in g:
            g.colleagues = list(self.backend(site).people()) if self.gate.may("people.read", site) else []
        return list(g.colleagues)

    def names(self, site: str) -> dict[str, str]:
        """Person id → name."""
        return {one.name.rsplit("/", 1)[-1]: one.display_name for one in self.colleagues(site)}

    def _simulation(self) -> bool | None:
        state = self.gate.simulation()
        return None if state is None else bool(state["running"])

    def render(self, template: str, *, timezone: str = "UTC", **context: Any) -> str:
        """A template with what all templates use."""
        words, now = self.words(), self.now()
        frame = context.get("frame")
        zone = frame.site.timezone if frame is not None else timezone
        return render_template(
            template,
            t=words,
            f=self.formats(zone),
            lang=self.language(),
            lang_tag="zh-CN" if self.language() == "zh_CN" else self.language(),
            languages=LANGUAGES,
            now=now,
            now_ms=int(now.timestamp() * 1000),
            csrf=self.gate.csrf_token(),
            asset=asset,
            **context,
        )

    def stream(self, path: str) -> str:
        """The address of a server stream, for EventSource."""
        return f"{self.gate.stream_url.rstrip('/')}/v1/{path}"


def presence_name(state: person_pb2.Presence.State.ValueType) -> str:
    """A presence state without its prefix."""
    return person_pb2.Presence.State.Name(state).removeprefix("STATE_")


def done(words: str = "", *, tone: str = "good", go: str = "", events: Mapping[str, Any] | None = None) -> Response:
    """An answer to htmx without content: a toast, a page to go to, DOM events."""
    response = Response(status=204)
    told: dict[str, Any] = dict(events or {})
    if words:
        told["kefu:toast"] = {"text": words, "tone": tone}
    if told:
        response.headers["HX-Trigger"] = json.dumps(told)
    if go:
        response.headers["HX-Redirect"] = go
    return response


def refused(words: str, status: int) -> Response:
    """An answer to htmx that says why not; the page shows it as a toast."""
    return Response(words, status, content_type="text/plain; charset=utf-8")


@lru_cache(maxsize=64)
def _version(path: Path, changed: int) -> str:
    del changed  # only part of the key: another file under the same name has another version
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


def asset(name: str) -> str:
    """The address of a static file, with its content's version."""
    path = STATIC / name
    return f"{url_for('console.static', filename=name)}?v={_version(path, path.stat().st_mtime_ns)}"


def local_path(target: str | None) -> str:
    """A path of ours to go on to; anything else becomes the first page."""
    if target and target.startswith("/") and not target.startswith(("//", "/\\")):
        return quote(target.rstrip("?"), safe="/?=&%:-_.~+,")
    return url_for("console.home")


def epoch(at: datetime) -> int:
    """Milliseconds since 1970, for the browser."""
    return int(at.timestamp() * 1000)


def initials(name: str) -> str:
    """One or two letters for a round picture: 王芳 → 王, Ada Lovelace → AL."""
    parts = name.split()
    if not parts:
        return "·"
    return name[0] if not name[0].isascii() else "".join(part[0] for part in parts[:2]).upper()
