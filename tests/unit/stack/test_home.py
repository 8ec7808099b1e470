from __future__ import annotations

import socket
from pathlib import Path

import pytest

from services.stack import control, doctor, ports
from services.stack.commands.table import columns, width
from services.stack.home import Home, StackError


def test_folder_and_ports_come_from_the_environment_and_are_remembered(tmp_path: Path) -> None:
    home = Home.find({"KEFU_HOME": str(tmp_path), "KEFU_PORT_BASE": "9100"})
    assert (home.folder, home.port("console"), home.port("intake")) == (tmp_path, 9100, 9110)
    home.note(port_base=9100)
    assert Home.find({"KEFU_HOME": str(tmp_path)}).port_base == 9100


@pytest.mark.parametrize("base", ["abc", "80", "70000", "-1"])
def test_a_port_base_that_is_none_is_refused_in_words(base: str) -> None:
    with pytest.raises(StackError, match="KEFU_PORT_BASE"):
        Home.find({"KEFU_PORT_BASE": base})


def test_secrets_stay_and_belong_to_their_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.secret("one") == Home(tmp_path).secret("one") != home.secret("two")
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0


def test_a_taken_port_is_named_with_who_has_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = next(one for one in ports.taken(_only(tmp_path, port)) if one.wanted_for == "console")
        assert f"port {port} (console) is taken by" in str(found)
        assert "python" in str(found)
        topics = {one.topic: one for one in doctor.examine(_only(tmp_path, port))}
    assert topics["ports"].state == doctor.WRONG
    assert "KEFU_PORT_BASE" in topics["ports"].remedy
    assert topics["stack"].remedy.endswith("kefu up")


def _only(folder: Path, port: int) -> Home:
    return Home(folder, port)


def test_two_commands_at_a_time_are_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with control.only_one(home), pytest.raises(StackError, match="at work"), control.only_one(home):
        pass


def test_a_pid_that_a_stranger_got_is_not_our_supervisor(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.pid_file.write_text("1")
    assert control.supervisor_of(home) is None


def test_tables_line_up_with_chinese_in_them() -> None:
    lines = columns([("name", "x"), ("王芳", "1"), ("ab", "2")]).splitlines()
    assert [width(line) for line in (lines[0], lines[2])] == [7, 7]
