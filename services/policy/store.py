"""Judged versions kept beside the decisions: services take `migrations/0001_profile_versions.sql` into their schema."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Protocol

from services.policy.loader import Version, from_body


class Connection(Protocol):
    """What is needed of a database connection; asyncpg's and the kit's transaction both have it."""

    async def execute(self, query: str, *arguments: Any) -> Any:
        """Run a statement."""

    async def fetch(self, query: str, *arguments: Any) -> Sequence[Any]:
        """Run a query; its rows are read by column name."""


def migration() -> str:
    """SQL of the table, idempotent, for a service's own migration."""
    return files("services.policy").joinpath("migrations/0001_profile_versions.sql").read_text("utf-8")


async def remember(connection: Connection, version: Version) -> None:
    """Store a version that is about to judge; harmless to repeat, the first use counts.

    Call it in the transaction of the first decision under this version; a process needs it once per version.
    """
    await connection.execute(
        "INSERT INTO profile_versions (hash, site, effective_from, body, first_used_at)"
        " VALUES ($1, $2, $3, $4, kefu_now()) ON CONFLICT (hash) DO NOTHING",
        version.profile.version,
        version.profile.site,
        version.profile.effective_from,
        version.body,
    )


async def recall(connection: Connection, digest: str) -> Version | None:
    """The version with this hash as it judged then, also when its file is long gone; None when none was stored."""
    rows = await connection.fetch("SELECT body FROM profile_versions WHERE hash = $1", digest)
    return from_body(rows[0]["body"], f"stored version {digest[:12]}") if rows else None
