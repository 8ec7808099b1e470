"""What every test has: the kit's fixtures, and a machine time zone with daylight saving so that time faults show."""

import os
import time

os.environ["TZ"] = "America/New_York"
time.tzset()

pytest_plugins = ["services.kit.testing.fixtures", "tests.clauses.plugin"]
