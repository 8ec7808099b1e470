"""What every test has: the kit's fixtures, and a machine time zone with daylight saving so that time faults show."""

import os
import time

import pytest
from hypothesis import settings
from xdist.remote import Producer

from tests.parallel import ByStack, rank

os.environ["TZ"] = "America/New_York"
time.tzset()
# Tests start programs while gRPC runs in this process; its fork handlers abort the child before it can exec.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

pytest_plugins = ["services.kit.testing.fixtures", "tests.clauses.plugin"]

# A busy machine is no fault: properties are judged by what they say, never by how long it took.
settings.register_profile("kefu", deadline=None)
settings.load_profile("kefu")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByStack:
    """Deal tests to workers by what they share."""
    return ByStack(config, log)


@pytest.hookimpl(trylast=True)  # after the shuffle
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first."""
    items.sort(key=rank)
