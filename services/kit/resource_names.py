"""Resource names by template: `sites/{site}/conversations/{conversation}` (AIP-122)."""

from __future__ import annotations

import re
from typing import Final

from services.kit.errors.tree import InvalidArgument

_VARIABLE: Final = re.compile(r"\{([a-z_]+)\}")
# AIP-122: what an id may look like; the contracts may be stricter.
_SEGMENT: Final = r"[A-Za-z0-9][A-Za-z0-9._~-]{0,62}"
_ID: Final = re.compile(_SEGMENT)


class ResourceName:
    """One template; parses names into their ids and builds names from ids."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.variables: tuple[str, ...] = tuple(_VARIABLE.findall(template))
        literals = (re.escape(part) for part in _VARIABLE.split(template)[::2])
        groups = (f"({_SEGMENT})" for _ in self.variables)
        self._pattern = re.compile("".join(_alternate(list(literals), list(groups))))

    def parse(self, name: str, field: str = "name") -> tuple[str, ...]:
        """The ids in a name, in the template's order; raises InvalidArgument naming `field` when it does not fit."""
        match = self._pattern.fullmatch(name)
        if match is None:
            raise InvalidArgument.field(field, f"must be of the form {self.template}", "resource_name")
        return match.groups()

    def format(self, *ids: str) -> str:
        """The name with these ids, in the template's order; raises ValueError for a wrong number or form of ids."""
        if len(ids) != len(self.variables):
            raise ValueError(f"{self.template} takes {len(self.variables)} ids, not {len(ids)}")
        for variable, one in zip(self.variables, ids, strict=True):
            if not _ID.fullmatch(one):
                raise ValueError(f"{one!r} is no {variable} id")
        parts = iter(ids)
        return _VARIABLE.sub(lambda _: next(parts), self.template)

    def matches(self, name: str) -> bool:
        """Whether a name fits."""
        return self._pattern.fullmatch(name) is not None


def _alternate(literals: list[str], groups: list[str]) -> list[str]:
    return [part for pair in zip(literals, [*groups, ""], strict=True) for part in pair]
