"""Why a decision is refused, in the domain's own words; `services.intake.errors` gives them their form on the wire."""

from __future__ import annotations

from collections.abc import Iterable


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """A command that cannot be done; nothing changes."""


class WrongState(Refusal):
    """The life cycle does not allow `transition` in `state`; `allowed` names what it does allow."""

    def __init__(self, transition: str, state: str, allowed: Iterable[str]) -> None:
        self.transition = transition
        self.state = state
        self.allowed = tuple(sorted(allowed))
        super().__init__(f"{transition} in {state}")


class GuardNotMet(Refusal):
    """The site's rules require a step first: NEED, SOURCE, SUMMARY, ASKED_ANYTHING_ELSE, FAREWELL …"""

    def __init__(self, guard: str) -> None:
        self.guard = guard
        super().__init__(guard)


class NotAssignee(Refusal):
    """The conversation belongs to, or is offered to, somebody else."""


class LimitReached(Refusal):
    """The site's limit is used up."""

    def __init__(self, limit: str) -> None:
        self.limit = limit
        super().__init__(limit)


class NoCapacity(Refusal):
    """The person takes no further conversation now."""


class ProfileForbids(Refusal):
    """The site's profile forbids it, or leaves unset what it needs."""

    def __init__(self, setting: str) -> None:
        self.setting = setting
        super().__init__(setting)


class Forbidden(Refusal):
    """The caller may not; says nothing about whether the object exists."""


class Missing(Refusal):
    """No such object at this site."""


class InvalidField(Refusal):
    """One field of the command is wrong."""

    def __init__(self, field: str, description: str) -> None:
        self.field = field
        self.description = description
        super().__init__(f"{field}: {description}")
