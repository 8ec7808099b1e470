"""Who may see which conversation, beyond the permission that the contract asks for."""

from __future__ import annotations

from dataclasses import dataclass

from services.intake.domain.conversation import Conversation
from services.kit.access import Kind, Principal
from services.kit.errors import PermissionDenied


@dataclass(frozen=True, slots=True)
class Scope:
    """What a caller sees of a site: everything, or one customer's own conversations without notes."""

    customer: str | None = None

    @classmethod
    def of(cls, principal: Principal) -> Scope:
        """Return a caller's scope. Raises PermissionDenied for a customer's token that names nobody."""
        if principal.kind is not Kind.CUSTOMER:
            return cls()
        customer = str(principal.claims.get("customer", ""))
        if not customer:
            raise PermissionDenied
        return cls(customer)

    @property
    def sees_notes(self) -> bool:
        """Whether notes among colleagues are shown."""
        return self.customer is None

    def check(self, conversation: Conversation | None) -> None:
        """Refuse what is not the caller's own; to a customer a foreign conversation is as good as none."""
        if self.customer is not None and (conversation is None or conversation.customer != self.customer):
            raise PermissionDenied
