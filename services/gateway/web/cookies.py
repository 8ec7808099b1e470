"""Cookies: the session's id, the id of a visit without a session (for forms), and the visitor of a chat page."""

from __future__ import annotations

from typing import Final

from werkzeug.wrappers import Response

from services.gateway.config import GatewayConfig
from services.gateway.identity.secrets import equal, mac, new_secret

_LONG_SECONDS: Final = 180 * 86_400


class Cookies:
    """Names and attributes of our cookies: HttpOnly, SameSite=Lax, Secure and __Host- wherever browsers come by TLS."""

    def __init__(self, config: GatewayConfig) -> None:
        self._secure = config.secure
        self._secrets = config.secrets
        prefix = "__Host-" if config.secure else ""
        self.session = f"{prefix}kefu_session"
        self.visit = f"{prefix}kefu_visit"
        self._visitor = f"{prefix}kefu_visitor_"

    def visitor(self, site: str) -> str:
        """Name of the visitor cookie of a site's chat page."""
        return f"{self._visitor}{site}"

    def set(self, response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
        """Set a cookie; without `seconds` it ends with the browser."""
        response.set_cookie(name, value, max_age=seconds, secure=self._secure, httponly=True, samesite="Lax", path="/")

    def clear(self, response: Response, name: str) -> None:
        """Remove a cookie."""
        response.delete_cookie(name, secure=self._secure, httponly=True, samesite="Lax", path="/")

    def new_visitor(self, site: str) -> tuple[str, str]:
        """A new visitor's (id, cookie value)."""
        visitor = f"visitor-{new_secret()[:22].replace('_', 'a').replace('-', 'b').lower()}"
        return visitor, f"{visitor}.{self._codes(site, visitor)[0]}"

    def read_visitor(self, site: str, value: str | None) -> str | None:
        """The visitor's id of a cookie that we signed for this site, else None."""
        visitor, _, code = (value or "").partition(".")
        fits = any(equal(code, own) for own in self._codes(site, visitor))
        return visitor if visitor and code and fits else None

    def _codes(self, site: str, visitor: str) -> list[str]:
        return [mac(secret, "visitor", site, visitor) for secret in self._secrets]

    def set_visitor(self, response: Response, site: str, value: str) -> None:
        """Keep the visitor for half a year, so that they find their conversation again."""
        self.set(response, self.visitor(site), value, seconds=_LONG_SECONDS)
