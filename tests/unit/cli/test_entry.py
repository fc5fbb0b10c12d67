"""Ctrl-C ends a program without a traceback, also while it imports what it is made of."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_dra_driver import cli, entry

PROGRAMS = (entry.main, entry.controller, entry.kubelet_plugin, entry.set_nas_status)


@pytest.mark.parametrize("program", PROGRAMS)
def test_ctrl_c_while_a_program_is_imported_is_silent(
    program: Callable[[], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(name: str) -> object:
        raise KeyboardInterrupt(name)

    monkeypatch.setattr(entry, "import_module", interrupted)
    assert program() == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_ends_as_its_command_line_says(program: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, program.__name__, lambda: 7)
    assert program() == 7


def test_all_programs_begin_there() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text())["project"]
    found = set(project["scripts"].values())
    assert found == {f"{entry.__name__}:{program.__name__}" for program in PROGRAMS}
