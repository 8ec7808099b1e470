"""Switches one setting off in every profile that a test loads: `KEFU_MUTATE=sla.handoff_s`.

Nothing in services knows of this: the test run replaces the last step of the loader, after validation.
"""

from __future__ import annotations

import os

from kefu.policy.v1 import profile_pb2

from services.policy import loader, schema
from services.policy.loader import Version

VARIABLE = "KEFU_MUTATE"


def wanted() -> str:
    """The setting to switch off; empty for none. Raises ValueError for one that does not exist."""
    key = os.environ.get(VARIABLE, "")
    if key and key not in schema.settings():
        raise ValueError(f"{VARIABLE}={key}: no such setting")
    return key


def switch_off(message: profile_pb2.SiteProfile, key: str) -> None:
    """Take a setting out of a profile, as if no rule spoke of it."""
    group, name = key.split(".")
    getattr(message, group).ClearField(name)


def install(key: str) -> None:
    """From now on every profile of this process is loaded without the setting."""
    original = loader.version_of

    def without(message: profile_pb2.SiteProfile, name: str) -> Version:
        switch_off(message, key)
        return original(message, name)

    loader.version_of = without
