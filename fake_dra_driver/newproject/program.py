"""Writes a new project into a folder. What is there already is never touched."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from fake_dra_driver import __version__
from fake_dra_driver.newproject.names import ProjectNames
from fake_dra_driver.newproject.settings import NewSettings
from fake_dra_driver.newproject.source import library_source
from fake_dra_driver.render import render
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["NewProjectError", "project_files", "run_new", "write_project"]

_GENERATE_SECONDS = 120
_RUN = (
    "import runpy, sys; sys.path.insert(1, sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)
"""``python -m``, with the library of this process, wherever that is, behind the folder of the project."""
_FILES: Mapping[str, str] = {
    ".github/workflows/ci.yaml": "ci.yaml",
    ".dockerignore": "dockerignore",
    ".gitignore": "gitignore",
    "Dockerfile": "Dockerfile",
    "Makefile": "Makefile",
    "README.md": "README.md",
    "demo/classic.yaml": "classic.yaml",
    "demo/demo.py": "demo.py",
    "demo/structured.yaml": "structured.yaml",
    "pyproject.toml": "pyproject.toml",
    "tests/conftest.py": "conftest.py",
    "tests/test_cluster.py": "test_cluster.py",
    "tests/test_class.py": "test_class.py",
    "{package}/__init__.py": "init.py",
    "{package}/__main__.py": "main.py",
    "{package}/driver.py": "driver.py",
    "{package}/py.typed": "",
}
"""By path in the project: the template, empty for an empty file."""


class NewProjectError(RuntimeLayerError):
    """The project cannot be written; the message says why, and what to do instead."""


def run_new(settings: NewSettings) -> int:
    """Writes the project, and says what to do with it. Returns the exit status.

    Raises:
        NewProjectError: the folder is in use, or the driver cannot be run.
        OSError: the folder cannot be written.
    """
    names, source = ProjectNames.of(settings.driver_name), library_source()
    write_project(settings.folder, names, source)
    sys.stdout.write(
        f"{settings.folder} has the driver {names.driver} now.\n"
        f"fake-dra-driver will come from {source}\n\n"
        f"  cd {settings.folder}\n"
        "  make test    # the driver in embedded clusters, with either protocol of DRA\n"
        "  make demo    # a pod, and what it gets\n\n"
        "The first of them installs the libraries into .venv, for a minute or more.\n"
        f"Begin with {names.package}/driver.py; README.md says what else is there.\n"
    )
    return 0


def write_project(folder: Path, names: ProjectNames, source: str) -> None:
    """Writes the project, with what its driver's ``generate`` makes. Blocks.

    Args:
        folder: not there yet, or empty.
        names: of everything.
        source: where it is to get this library from, as pip takes it.

    Raises:
        NewProjectError: the folder is in use, or the driver cannot be run.
        OSError: the folder cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "is not empty" if folder.is_dir() else "is no folder"
        raise NewProjectError(f"{folder} {what}, and nothing in it is overwritten: name a folder that is not there yet")
    with TemporaryDirectory() as name:  # so that a failure leaves no half of a project behind
        # Below that folder, which only its owner may read: a copy gets the permissions of what it is a copy of.
        draft = Path(name) / names.project
        for path, text in project_files(names, source).items():
            target = draft / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        _generate(draft, names)
        shutil.copytree(draft, folder, dirs_exist_ok=True)


def project_files(names: ProjectNames, source: str) -> Mapping[str, str]:
    """What the project has before ``generate``: by path."""
    values = {"names": names, "source": source, "version": __version__}
    return {
        path.format(package=names.package): render(f"newproject/{template}.j2", helm=True, **values) if template else ""
        for path, template in _FILES.items()
    }


def _generate(folder: Path, names: ProjectNames) -> None:
    """Runs the driver's ``generate``, as people will. With this Python, since the project has none yet."""
    library = str(Path(__file__).parents[2])
    done = subprocess.run(  # noqa: S603 - the command is ours
        [sys.executable, "-B", "-c", _RUN, library, names.package, "generate"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_GENERATE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        said = f"{done.stdout}{done.stderr}".rstrip()
        raise NewProjectError(f"the new driver's generate has failed, so nothing was written:\n{said}")
