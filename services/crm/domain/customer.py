"""A customer's file: what it holds, how it is shown, when it has to be verified."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

PERSONAL: Final = ("display_name", "phone", "email", "address")
EDITABLE: Final = (
    *PERSONAL,
    "birth_month",
    "birth_day",
    "preferred_channels",
    "interests",
    "do_not_contact",
    "region",
)
_SHOWN_DIGITS: Final = 7


@dataclass(frozen=True, slots=True)
class File:
    """What can be edited. Personal fields are empty where unknown."""

    display_name: str = ""
    phone: str = ""
    email: str = ""
    address: str = ""
    birth_month: int = 0
    birth_day: int = 0
    preferred_channels: tuple[str, ...] = ()
    interests: tuple[str, ...] = ()
    do_not_contact: bool = False
    region: str = ""

    def changed(self, other: File, paths: Iterable[str]) -> File:
        """This file with the named fields taken from `other`."""
        return dataclasses.replace(self, **{path: getattr(other, path) for path in paths})

    def masked(self) -> File:
        """As everybody sees it."""
        return dataclasses.replace(
            self,
            display_name=mask_name(self.display_name),
            phone=mask_phone(self.phone),
            email=mask_email(self.email),
            address=mask_name(self.address),
        )


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer of a site. `root` is who counts for them: themselves, or the end of the chain of merges."""

    site: str
    id: str
    file: File
    state: str
    merged_into: str | None
    root: str
    revision: int
    verified_at: datetime | None
    verify_due_at: datetime | None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"sites/{self.site}/customers/{self.id}"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a customer is on one channel; `customer` is the file for which it was recorded."""

    channel: str
    external_id: str
    customer: str = ""


def mask_name(text: str) -> str:
    """First character and asterisks; the length is not told."""
    return f"{text[:1]}**" if text else ""


def mask_phone(text: str) -> str:
    """First three and last four digits, where that leaves something hidden."""
    if not text:
        return ""
    return f"{text[:3]}****{text[-4:]}" if len(text) > _SHOWN_DIGITS else "****"


def mask_email(text: str) -> str:
    """First character and the domain."""
    local, at, domain = text.partition("@")
    return f"{local[:1]}***{at}{domain}" if text else ""


def normal_phone(text: str) -> str:
    """Digits and a leading plus, for look-up; a Chinese country code is left out."""
    digits = "".join(one for one in text if one.isdigit() or one == "+")
    return digits.removeprefix("+86")
