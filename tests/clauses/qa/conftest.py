"""A running qa for the clauses."""

from __future__ import annotations

from tests.integration.qa.conftest import profiles, qa

__all__ = ["profiles", "qa"]
