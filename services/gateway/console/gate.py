"""What the console needs of the gateway around it: who is signed in, how to call services, the sites' profiles.

The gateway's app factory builds one `Gate` and registers `console_blueprint(gate)`. Pages know nothing of cookies,
tokens or channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message
from kefu.policy.v1.profile_pb2 import SiteProfile

Reply = TypeVar("Reply", bound=Message)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The person of the current web request. `id` is their id in staffing; `roles` by site ("*" = every site)."""

    id: str
    user_name: str
    display_name: str
    roles: Mapping[str, frozenset[str]]
    locale: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """One local account as the people page shows it. `state`: INVITED, ACTIVE, LOCKED or DISABLED."""

    id: str
    user_name: str
    display_name: str
    state: str
    roles: Mapping[str, Sequence[str]]
    last_sign_in: datetime | None = None


class Gate(Protocol):
    """The gateway as pages see it. Every method belongs to the current web request; failures are KefuError."""

    environment: str
    stream_url: str
    oidc_label: str

    def person(self) -> SignedIn | None:
        """Who is signed in, or None."""

    def may(self, permission: str, site: str) -> bool:
        """Whether that person holds a permission at a site (services decide again; this only shapes the page)."""

    def csrf_token(self) -> str:
        """The token that every writing form carries as `csrf_token` and htmx as header `X-CSRF-Token`."""

    def call(self, method: str, request: Message, reply: type[Reply]) -> Reply:
        """Calls "kefu.intake.v1.ConversationService/GetConversation" as the signed-in person."""

    def customer_call(self, site: str, method: str, request: Message, reply: type[Reply]) -> Reply:
        """The same as the visitor of `site`'s chat page (a channel token in a cookie of its own)."""

    def visitor(self, site: str) -> str:
        """Id of the visitor of the chat page, made on the first visit."""

    def profiles(self) -> Mapping[str, SiteProfile]:
        """The profile in force of every site, by site id."""

    def now(self) -> datetime:
        """The services' time."""

    def sign_in(self, user_name: str, password: str) -> SignedIn:
        """Checks a local account and opens the session; Unauthenticated with SIGN_IN_FAILED otherwise."""

    def sign_out(self) -> None:
        """Ends the session."""

    def accounts(self, site: str) -> Sequence[Account]:
        """Accounts with a role at the site."""

    def invite(self, *, user_name: str, display_name: str, roles: Mapping[str, Sequence[str]]) -> str:
        """Makes an account; the path of the link that sets its password, valid for a while."""

    def reset(self, account: str) -> str:
        """The path of a link that sets a new password."""

    def grant(self, account: str, *, site: str, roles: Sequence[str]) -> None:
        """Sets the roles of an account at a site."""

    def disable(self, account: str) -> None:
        """Ends an account and its sessions."""

    def invited(self, token: str) -> Account:
        """Whose link this is; NotFound when it is used up or expired."""

    def set_password(self, token: str, password: str) -> None:
        """Uses up the link; InvalidArgument when the password is too weak."""

    def simulation(self) -> Mapping[str, Any] | None:
        """None where simulated traffic cannot be; else {"running": bool}."""

    def simulate(self, running: bool) -> None:
        """Starts or stops simulated traffic; SIMULATION_REFUSED in production."""
