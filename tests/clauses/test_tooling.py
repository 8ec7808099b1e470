"""The clause tooling itself: what it refuses, what it records, what it says of a test that does not show its clause.

Each case is a small tree of tests of its own, run by pytest in a process of its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clauses import evidence, mutate, mutation, report

ROOT = Path(__file__).parents[2]
SERVER = '''
import threading, http.server, httpx, pytest
from pathlib import Path
from services.policy import loader

PROFILES = Path({profiles!r})

class Site(http.server.BaseHTTPRequestHandler):
    """Answers with the hand-off promise of the loaded profile."""
    def do_GET(self):
        promise = loader.load(PROFILES / "online-desk.yaml").profile.sla.handoff_s
        self.send_response(200); self.end_headers(); self.wfile.write(str(promise).encode())
    def log_message(self, *arguments): pass

@pytest.fixture
def url():
    server = http.server.HTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{{server.server_port}}"
    server.shutdown(); server.server_close()
'''.format(profiles=str(ROOT / "charts" / "kefu" / "profiles"))


class Run:
    """A tree of tests and what became of it."""

    def __init__(self, folder: Path, files: dict[str, str], setting: str = "", arguments: tuple[str, ...] = ()) -> None:
        for name, text in files.items():
            path = folder / "tests" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        (folder / "tests" / "conftest.py").write_text(SERVER, "utf-8")
        (folder / "pytest.ini").write_text("[pytest]\nmarkers = clause(*ids): shows\n", "utf-8")
        self.file = folder / "evidence.json"
        environment = {**os.environ, "KEFU_CLAUSES": str(self.file), "KEFU_MUTATE": setting, "PYTHONPATH": str(ROOT)}
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # only the plugin under test
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "tests.clauses.plugin",
            "-p",
            "no:cacheprovider",
            *arguments,
            "tests",
        ]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        self.code, self.output = done.returncode, done.stdout + done.stderr

    def shown(self) -> dict[str, dict[str, object]]:
        """The recorded evidence, by the name of the test."""
        stored = json.loads(self.file.read_text("utf-8")) if self.file.exists() else {}
        return {test.split("::")[1]: entry for test, entry in stored.items()}


TREE = {
    "integration/test_handoff.py": """
import httpx, pytest

@pytest.mark.clause("ONLINE-3.1.2-3")
def test_handoff(url):
    assert httpx.get(url).text == "120"

@pytest.mark.clause("ONLINE-3.1.1-3", "LIVE-3.2.1-2")
def test_fails(url):
    assert httpx.get(url).text == "121"

@pytest.mark.clause("ONLINE-3.2.2-1")
def test_of_another_setting(url):
    assert httpx.get(url).status_code == 200

@pytest.mark.clause("ONLINE-3.1.2-3")
def test_inside():
    pass

def test_unmarked(url):
    pass
""",
    "system/test_broken.py": """
import pytest

@pytest.fixture
def broken():
    raise OSError

@pytest.mark.clause("ONLINE-3.1.2-3")
def test_broken(broken):
    pass
""",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The tree, run as it is."""
    return Run(tmp_path_factory.mktemp("plain"), TREE)


def test_passing_and_failing_tests_are_recorded_with_their_clauses(plain: Run) -> None:
    shown = plain.shown()
    assert shown["test_handoff"] == {"clauses": ["ONLINE-3.1.2-3"], "outcome": "passed", "calls": 1}
    assert shown["test_fails"] == {"clauses": ["ONLINE-3.1.1-3", "LIVE-3.2.1-2"], "outcome": "failed", "calls": 1}
    assert "test_unmarked" not in shown


def test_a_mark_needs_a_call_through_a_public_interface(plain: Run) -> None:
    assert plain.shown()["test_inside"] == {"clauses": ["ONLINE-3.1.2-3"], "outcome": "failed", "calls": 0}
    assert "called no public interface" in plain.output


def test_a_test_that_was_renamed_or_lost_its_mark_shows_nothing_any_more(tmp_path: Path) -> None:
    name = "clauses/test_tooling.py"  # a file that is there, or its evidence would be left out anyway
    marked = '@pytest.mark.clause("ONLINE-3.1.2-3")\ndef {}(url):\n    assert httpx.get(url).text\n'
    text = "import httpx, pytest\n" + "".join(map(marked.format, ("test_kept", "test_old", "test_unmarked")))
    assert set(Run(tmp_path, {name: text}).shown()) == {"test_kept", "test_old", "test_unmarked"}
    text = text.replace("test_old", "test_new").replace(marked.format("test_unmarked"), "def test_unmarked(): pass\n")
    run = Run(tmp_path, {name: text}, arguments=("-k", "test_new"))
    assert set(run.shown()) == {"test_kept", "test_new"}, run.output


def test_a_broken_fixture_shows_nothing(plain: Run) -> None:
    assert plain.shown()["test_broken"]["outcome"] == "error"


def test_a_setting_that_is_switched_off_is_noticed_by_its_tests_alone(tmp_path: Path) -> None:
    shown = Run(tmp_path, TREE, setting="sla.handoff_s,sla.complaint_record_s").shown()
    outcomes = {test: entry["outcome"] for test, entry in shown.items()}
    assert outcomes == {
        "test_handoff[sla.handoff_s]": "failed",
        "test_inside[sla.handoff_s]": "failed",
        "test_broken[sla.handoff_s]": "error",
        "test_of_another_setting[sla.complaint_record_s]": "passed",
    }


def test_a_test_without_a_setting_is_known_by_its_plain_name() -> None:
    assert mutation.plain("a.py::b[sla.handoff_s]", "sla.handoff_s") == "a.py::b"
    assert mutation.plain("a.py::b[live-room-sla.handoff_s]", "sla.handoff_s") == "a.py::b[live-room]"
    assert mutation.plain("a.py::b[live-room-sla.handoff_s]", "bot.mode") == ""


def test_a_setting_that_does_not_exist_cannot_be_switched_off(tmp_path: Path) -> None:
    run = Run(tmp_path, TREE, setting="sla.handof_s")
    assert run.code != 0
    assert "no such setting" in run.output
    assert not run.shown()


def test_marks_that_cannot_count_are_refused(tmp_path: Path) -> None:
    marked = "import pytest\n@pytest.mark.clause({})\ndef test_x(): pass\n"
    run = Run(
        tmp_path,
        {
            "integration/test_unknown.py": marked.format('"ONLINE-9.9.9"'),
            "integration/test_empty.py": marked.format(""),
            "unit/test_inner.py": marked.format('"ONLINE-3.1.2-3"'),
        },
    )
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "test_unknown.py::test_x: no clause 'ONLINE-9.9.9'" in run.output
    assert "test_empty.py::test_x: the mark names no clause" in run.output
    assert "test_inner.py::test_x: a clause is shown through a public interface" in run.output
    assert not run.shown()


def test_the_report_counts_by_regime_and_service_and_lists_the_rest() -> None:
    shown = {"ONLINE-3.1.2-3": ["tests/a.py::b"], "ONLINE-3.1.1-1": ["tests/a.py::b"]}
    lines = {line.split()[0]: line.split() for line in report.table(shown) if line.strip()}
    assert lines["ONLINE"][1] == "2/21"
    assert lines["total"][-1] == "2/539"
    rest = " ".join(report.open_clauses(shown)).split()
    assert "ONLINE-3.1.2-3" not in rest
    assert "ONLINE-3.1.2-2" in rest
    assert sum(word.count("-") > 0 for word in rest) >= 537


def test_settings_are_bound_to_the_clauses_that_they_quantify() -> None:
    bound = mutate.bindings(["ONLINE-3.1.2-3", "MALL-4.1.2-4", "ONLINE-3.1.2-1", "LIVE-1.1"])
    assert bound == {
        "sla.handoff_s": ["ONLINE-3.1.2-3"],
        "closing.required": ["MALL-4.1.2-4"],
        "lint.opening_names_agent": ["ONLINE-3.1.2-1"],
        "reception.opening": ["ONLINE-3.1.2-1"],
    }


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ({"t1": "passed", "t2": "failed"}, "noticed"),
        ({"t1": "passed", "t2": "passed"}, "survived"),
        ({"t1": "error"}, "did not run"),
        ({}, "did not run"),
    ],
)
def test_a_clause_survives_when_none_of_its_tests_notices(outcomes: dict[str, str], said: str) -> None:
    found = {test: evidence.Shown(("X",), outcome, 1) for test, outcome in outcomes.items()}
    assert mutate.verdict(["t1", "t2"], found) == said
