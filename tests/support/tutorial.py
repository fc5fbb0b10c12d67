"""A tutorial's blocks of Python as files of a project, changed step by step.

The title of a block says what it is: ``driver.py`` is a whole file; ``driver.py, above Lamp`` stands before that class,
``driver.py, in Lamp`` at its end, in place of the methods of the same names. A block without a title is an excerpt.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Block", "apply_block", "read_blocks", "read_sections"]

_BLOCK: Final = re.compile(r'^```python title="([^",]+)(?:, (above|in) (\w+))?"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a file."""

    path: str
    """In the project."""
    place: str
    """``above`` or ``in`` the class; empty: all of the file."""
    class_name: str
    text: str


def read_sections(page: Path) -> Iterator[tuple[str, str]]:
    """Heading and text of each section of a page."""
    _, *rest = re.split(r"^## (.*)\n", page.read_text(), flags=re.MULTILINE)
    return zip(rest[::2], rest[1::2], strict=True)


def read_blocks(text: str) -> Iterator[Block]:
    """The blocks of a text that belong to a file, in their order."""
    return (Block(*match) for match in _BLOCK.findall(text))


def apply_block(project: Path, block: Block) -> None:
    """Writes a block where its title says. Raises ValueError when there is no such class."""
    file = project / block.path
    if not block.place:
        file.write_text(block.text)
        return
    lines = file.read_text().splitlines(keepends=True)
    found = [each for each in ast.parse("".join(lines)).body if isinstance(each, ast.ClassDef)]
    classes = [each for each in found if each.name == block.class_name]
    if not classes:
        raise ValueError(f"{block.path} has no class {block.class_name}, only {[each.name for each in found]}")
    [node] = classes
    if block.place == "above":
        lines.insert(node.lineno - 1, f"{block.text}\n\n")
    else:
        end = _end(node)
        lines.insert(end, f"\n{block.text}")
        for old in reversed([each for each in node.body if _name(each) in set(_new_names(block.text))]):
            del lines[_first_line(old) - 1 : _end(old)]
    file.write_text("".join(lines))


def _new_names(text: str) -> Iterator[str]:
    [body] = ast.parse(f"class Block:\n{text}").body
    assert isinstance(body, ast.ClassDef)
    return (_name(each) for each in body.body if _name(each))


def _name(statement: ast.stmt) -> str:
    return statement.name if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) else ""


def _first_line(function: ast.stmt) -> int:
    decorators = function.decorator_list if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) else []
    return min([function.lineno, *(each.lineno for each in decorators)])


def _end(statement: ast.stmt) -> int:
    assert statement.end_lineno is not None
    return statement.end_lineno
