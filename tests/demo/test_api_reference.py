"""What makes the API reference finds what is wrong with it. That nothing is, ``make check`` says."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "hack/api-reference.py"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = spec_from_file_location("api_reference", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_link_that_leads_nowhere_is_found(reference: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<a href="room/page.html#there">1</a><a href="room/page.html#gone">2</a><a href="gone.html">3</a>'
        '<a href="https://example.com/gone">4</a><a href="#gone">5</a>'
    )
    (tmp_path / "room").mkdir()
    (tmp_path / "room/page.html").write_text('<h1 id="there">A page</h1><a href="../index.html">back</a>')
    assert list(reference.broken_links(tmp_path)) == [
        "index.html links to #gone, and there is no such anchor",
        "index.html links to gone.html, which does not exist",
        "index.html links to room/page.html#gone, and there is no such anchor",
    ]


def test_what_has_no_docstring_is_found(reference: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unexplained.py").write_text(
        '"""A module."""\n\n__all__ = ["NUMBER", "Explained", "bare"]\n\nNUMBER = 1\n\n\n'
        'class Explained:\n    """A class."""\n\n    field: int\n\n    def method(self) -> None:\n        ...\n\n'
        "    def _private(self) -> None:\n        ...\n\n\ndef bare() -> None:\n    ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(reference, "faces", lambda: ["unexplained"])
    assert reference.build(tmp_path / "pages") == [
        "unexplained.NUMBER has no docstring",
        "unexplained.Explained.method has no docstring",
        "unexplained.bare has no docstring",
    ]
    del sys.modules["unexplained"]


def test_examples_in_docstrings_are_code(reference: ModuleType) -> None:
    docstring = "Words::\n\n    async with a() as b:\n        await b\n\nMore::\n\n    A ──> B\n"
    assert reference.markdown(docstring) == (
        "Words:\n\n```python\nasync with a() as b:\n    await b\n```\n\nMore:\n\n```\nA ──> B\n```"
    )
