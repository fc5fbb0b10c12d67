"""The files of a new project: they are what they seem, and nothing of the templates is left in them."""

import ast
import tomllib
from pathlib import Path

import pytest
import yaml

from fake_dra_driver.newproject.names import ProjectNames
from fake_dra_driver.newproject.program import NewProjectError, project_files, write_project

NAMES = ProjectNames.of("desk-lamp.example.com")
FILES = project_files(NAMES, "/a folder/with $ and #")


def test_programs_and_documents_can_be_read() -> None:
    for path, text in FILES.items():
        match Path(path).suffix:
            case ".py":
                ast.parse(text, path)
            case ".yaml":
                assert all(yaml.safe_load_all(text))
            case ".toml":
                assert tomllib.loads(text)["project"]["name"] == "desk-lamp-driver"
        assert "[[" not in text, path
        assert all(len(line) <= 140 for line in text.splitlines()), path


def test_a_source_may_have_any_characters() -> None:
    assert "FAKE_DRA_DRIVER ?= /a folder/with $$ and \\#\n" in FILES["Makefile"]


def test_actions_are_those_that_this_project_uses() -> None:
    ours = (Path(__file__).parents[3] / ".github/workflows/ci.yaml").read_text()
    used = [step["uses"] for step in yaml.safe_load(FILES[".github/workflows/ci.yaml"])["jobs"]["test"]["steps"][:2]]
    assert all(f"uses: {action}" in ours for action in used)


@pytest.mark.parametrize("content", ["folder", "file"])
def test_what_is_there_already_is_not_touched(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine").write_text("mine")
    folder = tmp_path if content == "folder" else tmp_path / "mine"
    what = "is not empty" if content == "folder" else "is no folder"
    with pytest.raises(NewProjectError, match=f"{what}, and nothing in it is overwritten"):
        write_project(folder, NAMES, "source")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("mine", "mine")]


def test_a_project_is_a_folder_as_any_other(tmp_path: Path) -> None:
    folder, other = tmp_path / "project", tmp_path / "other"
    other.mkdir()
    write_project(folder, NAMES, "source")
    assert folder.stat().st_mode == other.stat().st_mode
