"""The gateway as the console's pages see it: implements `services.gateway.console.gate.Gate`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from flask import g, request
from google.protobuf.message import Message
from kefu.policy.v1.profile_pb2 import SiteProfile

from services.gateway.accounts import Account, People
from services.gateway.config import GatewayConfig
from services.gateway.console import gate as console
from services.gateway.identity import store
from services.gateway.identity.sessions import Sessions
from services.gateway.identity.user import User
from services.gateway.profiles import ProfileBook
from services.gateway.runtime import Runtime
from services.gateway.switches import SIMULATION, Switches
from services.gateway.upstream import Upstream
from services.gateway.web.guard import Guard
from services.gateway.web.visitors import Visitors
from services.kit import call as calls
from services.kit.access import Access
from services.kit.call import Call
from services.kit.errors import Unauthenticated

Reply = TypeVar("Reply", bound=Message)


class WebGate:
    """One per app; every method belongs to the current web request."""

    def __init__(
        self,
        config: GatewayConfig,
        *,
        runtime: Runtime,
        access: Access,
        sessions: Sessions,
        people: People,
        upstream: Upstream,
        handlers: Mapping[str, Callable[[Message], Message]],
        guard: Guard,
        visitors: Visitors,
        profiles: ProfileBook,
        switches: Switches,
    ) -> None:
        self.environment = config.environment
        self.stream_url = config.stream_url.rstrip("/")
        self.oidc_label = config.oidc.label if config.oidc.issuer else ""
        self._runtime = runtime
        self._access = access
        self._sessions = sessions
        self._people = people
        self._upstream = upstream
        self._handlers = handlers
        self._guard = guard
        self._visitors = visitors
        self._profiles = profiles
        self._switches = switches

    def person(self) -> console.SignedIn | None:
        """Who is signed in, or None."""
        user: User | None = g.user
        return None if user is None else _signed_in(user)

    def may(self, permission: str, site: str) -> bool:
        """Whether that person holds a permission at a site."""
        user: User | None = g.user
        return user is not None and self._access.grants(user.roles_at(site), permission)

    def csrf_token(self) -> str:
        """The token of this visit's writing forms."""
        return self._guard.csrf_token()

    def call(self, method: str, request: Message, reply: type[Reply]) -> Reply:
        """Call a service as the signed-in person."""
        self._user()
        call: Call = g.call
        call.method = method
        with calls.bind(call):
            handler = self._handlers.get(f"/{method}")
            if handler is not None:
                return cast("Reply", handler(request))
            return self._upstream.call(method, request, reply)

    def customer_call(self, site: str, method: str, request: Message, reply: type[Reply]) -> Reply:
        """Call a service as the visitor of the site's chat page."""
        token, _ = self._visitors.token(site)
        ours: Call = g.call
        call = Call(method, token=token, locale=g.locale, trace=ours.trace, deadline=ours.deadline)
        with calls.bind(call):
            return self._upstream.call(method, request, reply)

    def visitor(self, site: str) -> str:
        """Id of the visitor of the chat page."""
        return self._visitors.visitor(site)

    def profiles(self) -> Mapping[str, SiteProfile]:
        """The profile in force of every site."""
        return self._profiles.in_force(self.now())

    def now(self) -> datetime:
        """The services' time."""
        return self._runtime.run(store.database_now, self._runtime.database)

    def sign_in(self, user_name: str, password: str) -> console.SignedIn:
        """Check a local account and open the session."""
        session, user = self._sessions.sign_in(
            user_name, password, address=request.remote_addr or "", old_session=g.session
        )
        self._guard.signed_in(session, user)
        return _signed_in(user)

    def sign_out(self) -> None:
        """End the session."""
        if g.session:
            self._sessions.sign_out(g.session)
        self._guard.signed_out()

    def sign_out_everywhere(self) -> None:
        """End every session of the signed-in person."""
        user = self._user()
        self._sessions.sign_out_everywhere(user.subject, by=user.subject)
        self._guard.signed_out()

    def accounts(self, site: str) -> Sequence[console.Account]:
        """Accounts with a role at the site."""
        return [_account(account) for account in self._people.list(site, actor=self._user())]

    def invite(self, *, user_name: str, display_name: str, roles: Mapping[str, Sequence[str]]) -> str:
        """Make an account; the path of its link."""
        token = self._people.invite(user_name=user_name, display_name=display_name, roles=roles, actor=self._user())
        return link_path(token)

    def reset(self, account: str) -> str:
        """The path of a link that sets a new password."""
        return link_path(self._people.reset(account, actor=self._user()))

    def grant(self, account: str, *, site: str, roles: Sequence[str]) -> None:
        """Set the roles of an account at a site."""
        self._people.grant(account, site=site, roles=roles, actor=self._user())

    def disable(self, account: str) -> None:
        """End an account and its sessions."""
        self._people.disable(account, actor=self._user())

    def invited(self, token: str) -> console.Account:
        """Whose link this is."""
        return _account(self._people.invited(token))

    def set_password(self, token: str, password: str) -> None:
        """Use up the link."""
        self._people.set_password(token, password)

    def simulation(self) -> Mapping[str, Any] | None:
        """None where simulated traffic cannot be; else {"running": bool}."""
        if not self._switches.simulation_allowed:
            return None
        return {"running": self._switches.read("*", SIMULATION)}

    def simulate(self, running: bool) -> None:
        """Start or stop simulated traffic."""
        self._switches.set_simulation(turned_on=running, actor=self._user())

    def _user(self) -> User:
        user: User | None = g.user
        if user is None:
            raise Unauthenticated
        return user


def link_path(token: str) -> str:
    """Where a one-time link leads; the console serves the page."""
    return f"/invite/{token}"


def _signed_in(user: User) -> console.SignedIn:
    return console.SignedIn(user.person, user.user_name, user.display_name, user.roles, user.locale)


def _account(account: Account) -> console.Account:
    roles = {site: sorted(held) for site, held in account.roles.items()}
    return console.Account(
        account.id, account.user_name, account.display_name, account.state, roles, account.last_sign_in
    )
