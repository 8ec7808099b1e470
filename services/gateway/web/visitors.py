"""Anonymous visitors of a site's chat page: a random id in a signed cookie, and a channel token for it."""

from __future__ import annotations

from flask import g, request

from services.gateway.identity.tokens import Issuer
from services.gateway.web.cookies import Cookies

CHANNEL = "WEB"


class Visitors:
    """Finds or makes the visitor of the current request."""

    def __init__(self, cookies: Cookies, issuer: Issuer) -> None:
        self._cookies = cookies
        self._issuer = issuer

    def visitor(self, site: str) -> str:
        """The visitor's id, made on the first visit; the cookie goes out with the response."""
        made: dict[str, str] = g.setdefault("visitors", {})
        if site not in made:
            visitor = self._cookies.read_visitor(site, request.cookies.get(self._cookies.visitor(site)))
            if visitor is None:
                visitor, value = self._cookies.new_visitor(site)
                g.setdefault("new_visitors", {})[site] = value
            made[site] = visitor
        return made[site]

    def token(self, site: str) -> tuple[str, str]:
        """A channel token for the visitor, and their id."""
        visitor = self.visitor(site)
        return self._issuer.channel(site=site, channel=CHANNEL, customer=visitor, locale=g.locale), visitor
