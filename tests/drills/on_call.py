"""`make drill`: a stack, one fault out of three that it does not name, and you with alerts, panels and runbooks.

Say what it is on standard input; then it tells what it was, takes the fault away and waits until all is quiet.
`make drill-check` plays every fault by itself: its alert must fire, its runbook's commands must run, it must resolve.
"""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from services.stack import monitoring
from services.stack import up as stack
from services.stack.home import Home
from tests.drills.faults import FAULTS, Fault, until_free
from tests.observability.prometheus import Prometheus

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "docs" / "operations" / "runbooks" / "en"
BLOCK = re.compile(r"^```(sh|promql)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WARM_SECONDS = float(os.environ.get("WARM_SECONDS", "90"))  # the rules look two minutes back
FIRE_SECONDS, QUIET_SECONDS = 420.0, 900.0


@contextmanager
def watched_stack() -> Iterator[tuple[Home, Prometheus]]:
    """What `make up` starts, its Prometheus with the committed rules included."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whoever ends a drill ends its stack
    if monitoring.program() is None:
        sys.exit("a drill needs Prometheus (Debian: apt install prometheus)")
    folder = Path(tempfile.mkdtemp(prefix="kefu-drill-"))
    home = Home(folder / "home", int(os.environ.get("KEFU_PORT_BASE", "13900")))
    try:
        stack.up(home, lambda step: say(f"  {step}"))
        say(f"  {WARM_SECONDS:.0f} s of an ordinary day …")
        time.sleep(WARM_SECONDS)
        with httpx.Client(timeout=10.0, trust_env=False) as http:
            yield home, Prometheus(monitoring.url(home), http)
    finally:
        stack.down(home, lambda _: None)
        shutil.rmtree(folder, ignore_errors=True)


def play(seed: str) -> None:
    """One fault for a person to find."""
    fault = FAULTS[random.Random(seed).choice(sorted(FAULTS))]
    with watched_stack() as (home, prometheus):
        began = time.monotonic()
        with fault.inject(home):
            say("\nSomething is wrong from now on. What you have:")
            say(f"  export KEFU_HOME={home.folder} KEFU_PORT_BASE={home.port_base}")
            say("  make panels                   the landing page; BOARD=work, queues … for the others")
            say("  docs/operations/runbooks/     one for each alert that the landing page names")
            say("Say what it is (one line):")
            answer = sys.stdin.readline().strip()
            say(f"\n{time.monotonic() - began:.0f} s. You said: {answer}")
            say(
                f"It was: {fault.words}. Its alert: {fault.alert}; firing now: {', '.join(sorted(prometheus.firing()))}"
            )
        quiet(prometheus, fault)


def check(names: Sequence[str]) -> None:
    """Every fault, or those named, by itself. Ends with 1 when an alert or a command does not do what it should."""
    faults = 0
    with watched_stack() as (home, prometheus):
        for name in names or FAULTS:
            fault = FAULTS[name]
            # what the fault before left must not be taken for this one's doing
            if not quiet(prometheus, fault):
                faults += 1
                continue
            with fault.inject(home):
                fired = until_free(lambda: bool(prometheus.ask(fault.query)), FIRE_SECONDS)  # noqa: B023
                when = f"fired after {fired:.0f} s" if fired is not None else "DID NOT FIRE"
                also = ", ".join(sorted(prometheus.firing() - {fault.alert, "Watchdog"})) or "nothing else"
                say(f"{name}: {fault.alert} {when}; also {also}")
                broken = [] if fired is None else commands(home, prometheus, fault.alert)
                say("".join(f"  does not run: {one}\n" for one in broken) or "  the runbook's commands run")
            faults += (fired is None) + len(broken) + (not quiet(prometheus, fault))
    sys.exit(1 if faults else 0)


def commands(home: Home, prometheus: Prometheus, alert: str) -> list[str]:
    """Run every command and query of a runbook's diagnosis and mitigation; returns those that fail."""
    broken = []
    environment = {**os.environ, "KEFU_HOME": str(home.folder), "KEFU_PORT_BASE": str(home.port_base)}
    for kind, code in BLOCK.findall((RUNBOOKS / f"{alert}.md").read_text(encoding="utf-8")):
        if kind == "promql":
            if not prometheus.ask(code):
                broken.append(code.strip())
            continue
        for line in code.splitlines():
            words = shlex.split(line)
            if words[:2] == ["kefu", "logs"]:
                words.append("--no-follow")
            done = subprocess.run(
                [sys.executable, "-m", "services.cli", *words[1:]],
                env=environment,
                capture_output=True,
                check=False,
                cwd=ROOT,
            )
            if done.returncode not in (0, 1):  # 1 says that something is wrong, which it is
                broken.append(line)
    return broken


def quiet(prometheus: Prometheus, fault: Fault) -> bool:
    """Wait until the alert is silent."""
    took = until_free(lambda: not prometheus.ask(fault.query), QUIET_SECONDS)
    say(f"  {fault.alert} {f'is silent after {took:.0f} s' if took is not None else 'DOES NOT FALL SILENT'}")
    return took is not None


def say(line: str) -> None:
    """Print at once, also into a file."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(sys.argv[2:])
    else:
        play(sys.argv[1] if sys.argv[1:] else str(random.SystemRandom().random()))
