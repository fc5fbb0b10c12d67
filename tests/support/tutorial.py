"""A tutorial's blocks of Python as files of a project, changed step by step.

The title of a block says what it is: ``driver.py`` is a whole file; ``driver.py, above Lamp`` stands before that class,
``driver.py, in Lamp`` at its end, in place of the methods of the same names; ``conftest.py, instead of cluster`` is for
that function. A block without a title is an excerpt.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import Final

__all__ = ["Block", "apply_block", "read_blocks", "read_sections"]

_BLOCK: Final = re.compile(
    r'^```python title="([^",]+)(?:, (above|in|instead of) (\w+))?"\n(.*?)^```$', re.MULTILINE | re.DOTALL
)
_NAMED: Final = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a file."""

    path: str
    """In the project."""
    place: str
    """``above``, ``in`` or ``instead of`` what ``name`` says; empty: all of the file."""
    name: str
    text: str


def read_sections(page: Path) -> Iterator[tuple[str, str]]:
    """Heading and text of each section of a page."""
    _, *rest = re.split(r"^## (.*)\n", page.read_text(), flags=re.MULTILINE)
    return zip(rest[::2], rest[1::2], strict=True)


def read_blocks(text: str) -> Iterator[Block]:
    """The blocks of a text that belong to a file, in their order."""
    return (Block(path, place, name, dedent(code)) for path, place, name, code in _BLOCK.findall(text))


def apply_block(project: Path, block: Block) -> None:
    """Writes a block where its title says. Raises ValueError when there is no such class or function."""
    file = project / block.path
    if not block.place:
        file.write_text(block.text)
        return
    lines = file.read_text().splitlines(keepends=True)
    found = {_name(each): each for each in ast.parse("".join(lines)).body if _name(each)}
    if block.name not in found:
        raise ValueError(f"{block.path} has no {block.name}, only {list(found)}")
    node = found[block.name]
    if block.place == "above":
        lines.insert(_first_line(node) - 1, f"{block.text}\n\n")
    elif block.place == "instead of":
        lines[_first_line(node) - 1 : _end(node)] = [block.text]
    else:
        assert isinstance(node, ast.ClassDef)
        lines.insert(_end(node), f"\n{indent(block.text, '    ')}")
        new = {_name(each) for each in ast.parse(block.text).body} - {""}
        for old in reversed([each for each in node.body if _name(each) in new]):
            del lines[_first_line(old) - 1 : _end(old)]
    file.write_text("".join(lines))


def _name(statement: ast.stmt) -> str:
    return statement.name if isinstance(statement, _NAMED) else ""


def _first_line(function: ast.stmt) -> int:
    decorators = function.decorator_list if isinstance(function, _NAMED) else []
    return min([function.lineno, *(each.lineno for each in decorators)])


def _end(statement: ast.stmt) -> int:
    assert statement.end_lineno is not None
    return statement.end_lineno
