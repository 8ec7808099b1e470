"""Roles and permissions: what a contract asks for somebody holds, and what is granted exists."""

import re
from pathlib import Path

from services.kit.access import Access

ROOT = Path(__file__).parents[3]
ACCESS = Access.read(ROOT / "services" / "policy" / "access.yaml")
OPEN = {"public", "authenticated"}
PERMISSION = re.compile(r'\(kefu\.common\.v1\.permission\)\s*=\s*"([^"]+)"')
PAGES = {"policy.read"}
"""Permissions that guard a page of the console instead of an RPC."""
ADMIN_ONLY = {"service_accounts.manage"}
"""Whoever makes service accounts hands out any role."""


def asked() -> set[str]:
    """Every permission that a contract names."""
    texts = (path.read_text("utf-8") for path in (ROOT / "protos" / "kefu").rglob("*.proto"))
    return {name for text in texts for name in PERMISSION.findall(text)} - OPEN


def decided_in_code() -> set[str]:
    """Permissions beyond the RPC's that services ask for themselves, such as to see a person's name."""
    texts = (path.read_text("utf-8") for path in (ROOT / "services").rglob("*.py"))
    return {name for text in texts for name in re.findall(r'"([a-z_]+\.[a-z_]+)"', text)}


def test_every_permission_of_a_contract_is_granted_to_somebody_besides_the_admin() -> None:
    others = [role for role in ACCESS.roles if role != "admin"]
    assert {permission for permission in asked() if not ACCESS.grants(others, permission)} == ADMIN_ONLY


def test_every_granted_permission_exists() -> None:
    known = asked() | PAGES | decided_in_code()
    for role, permissions in ACCESS.roles.items():
        for permission in permissions - {"*"}:
            prefix = permission.removesuffix("*")
            assert permission in known or (prefix != permission and any(k.startswith(prefix) for k in known)), (
                role,
                permission,
            )


def test_the_roles_are_those_of_the_operation() -> None:
    people = {"agent", "host", "operator", "supervisor", "reviewer", "planner", "manager", "engineer", "admin"}
    assert set(ACCESS.roles) == people | {"customer", "frontend", "telephony", "bot", "simulator", "listener"}


def test_nobody_reaches_beyond_their_work() -> None:
    assert not ACCESS.grants(["customer"], "conversations.serve")
    assert not ACCESS.grants(["customer"], "people.read")
    assert not ACCESS.grants(["agent"], "conversations.supervise")
    assert not ACCESS.grants(["agent"], "people.manage")
    assert not ACCESS.grants(["engineer"], "conversations.read"), "engineers see no customer's words"
    assert not ACCESS.grants(["reviewer"], "conversations.serve")
    holders = {role for role in ACCESS.roles if ACCESS.grants([role], "clock.advance")}
    assert holders == {"admin", "simulator"}
    assert ACCESS.grants(["supervisor"], "conversations.supervise")
