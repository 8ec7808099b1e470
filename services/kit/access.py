"""Who may do what: roles grant permissions, a token names a person's roles at each site.

The file (`services/policy/access.yaml`, loaded by the caller) reads

    roles:
      agent: [conversations.reply, "conversations.read.*"]
      admin: ["*"]

A permission is dotted lower-case words; a trailing `*` covers everything below its prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from services.kit import yaml_text

EVERY_SITE: Final = "*"
_PERMISSION: Final = re.compile(r"\*|[a-z][a-z_]*(\.[a-z][a-z_]*)*(\.\*)?")


class AccessError(ValueError):
    """The access file cannot be used; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Access:
    """Role → the permissions that it grants."""

    roles: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, path: Path) -> Access:
        """Read the YAML form above; raises AccessError naming the file and every fault."""
        return cls.of(yaml_text.load(path.read_text(encoding="utf-8")), origin=str(path))

    @classmethod
    def of(cls, document: Any, *, origin: str = "access") -> Access:
        """Build from the parsed YAML; raises AccessError naming `origin` and every fault."""
        roles = document.get("roles") if isinstance(document, Mapping) else None
        if not isinstance(roles, Mapping) or not roles:
            raise AccessError(f"{origin}: expected a mapping `roles` of role to a list of permissions")
        faults = [
            f"role {role}: {permission!r} is no permission"
            for role, permissions in roles.items()
            for permission in (permissions if isinstance(permissions, list) else [permissions])
            if not isinstance(permission, str) or not _PERMISSION.fullmatch(permission)
        ]
        if faults:
            raise AccessError(f"{origin}: " + "; ".join(faults))
        return cls({str(role): frozenset(permissions) for role, permissions in roles.items()})

    def grants(self, roles: Iterable[str], permission: str) -> bool:
        """Whether any of the roles grants the permission; unknown roles grant nothing."""
        return any(_covers(self.roles.get(role, frozenset()), permission) for role in roles)

    def permissions(self, roles: Iterable[str]) -> frozenset[str]:
        """Everything that the roles grant, patterns as written (the console shows it)."""
        return frozenset().union(*(self.roles.get(role, frozenset()) for role in roles))


def _covers(granted: frozenset[str], permission: str) -> bool:
    if permission in granted or EVERY_SITE in granted:
        return True
    words = permission.split(".")
    return any(f"{'.'.join(words[:count])}.*" in granted for count in range(1, len(words)))


class Kind(StrEnum):
    """What stands behind a token."""

    PERSON = "PERSON"
    SERVICE = "SERVICE"
    CUSTOMER = "CUSTOMER"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: subject, kind, roles at each site ("*" = every site), and the token's other claims."""

    subject: str
    kind: Kind
    sites: Mapping[str, frozenset[str]]
    claims: Mapping[str, Any] = field(default_factory=dict, compare=False)
    access: Access = field(default=Access({}), compare=False, repr=False)
    _decided: dict[tuple[str, str], bool] = field(default_factory=dict, init=False, compare=False, repr=False)

    def roles(self, site: str) -> frozenset[str]:
        """The roles held at a site, with those held everywhere."""
        return self.sites.get(site, frozenset()) | self.sites.get(EVERY_SITE, frozenset())

    def may(self, permission: str, site: str) -> bool:
        """Whether the caller holds the permission at the site; `site` "*" asks for a role held everywhere."""
        key = (permission, site)
        known = self._decided.get(key)
        if known is None:
            known = self.access.grants(self.roles(site), permission)
            # Sites and permissions come from requests, so the memory of answers is bounded.
            if len(self._decided) < 512:
                self._decided[key] = known
        return known


ANONYMOUS: Final = Principal(subject="", kind=Kind.CUSTOMER, sites={})
