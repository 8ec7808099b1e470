"""Who is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """A person with an open session. `subject` is the account's id, which is also the person's id in staffing.

    `roles` maps site → roles; the site "*" stands for every site.
    """

    subject: str
    user_name: str
    display_name: str
    roles: Mapping[str, frozenset[str]]
    locale: str = ""

    @property
    def person(self) -> str:
        """The id in staffing."""
        return self.subject

    def roles_at(self, site: str) -> frozenset[str]:
        """Roles at a site, with those held everywhere."""
        return self.roles.get(site, frozenset()) | self.roles.get("*", frozenset())

    def has_role(self, *roles: str, site: str = "*") -> bool:
        """Whether one of the roles is held at the site."""
        return bool(self.roles_at(site) & set(roles))
