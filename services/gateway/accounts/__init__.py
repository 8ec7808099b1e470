"""People administration: invite, roles, reset, disable; every change audited."""

from services.gateway.accounts.people import People, Role
from services.gateway.accounts.store import Account

__all__ = ["Account", "People", "Role"]
