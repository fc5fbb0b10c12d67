"""How new YAML is written, so that it looks like the file that it goes into."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.yamldumper import dump_yaml

__all__ = ["UNBROKEN", "Style", "block_lines", "flow_pairs", "scalar_text"]

UNBROKEN: Final = 1 << 20
"""A width at which PyYAML breaks no line."""
_KEY_ALONE: Final = r"^( *(?:- )?)[^\s#-][^\n]*: *(?:#[^\n]*)?\n(?: *(?:#[^\n]*)?\n)*"
"""A line that ends with a key, and the comments and empty lines below it."""
_LIST_UNDER_KEY: Final = re.compile(_KEY_ALONE + "( *)- ", re.MULTILINE)
_MAPPING_UNDER_KEY: Final = re.compile(_KEY_ALONE + r"( +)[^\s#-]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Style:
    """Indentation and line ends of a file."""

    step: int = 2
    """Spaces by which a mapping is indented under its key."""
    dash: int = 2
    """Spaces by which the dashes of a list are indented under its key."""
    newline: str = "\n"

    @classmethod
    def of(cls, text: str) -> "Style":
        """As the first mapping and the first list of a text are indented."""
        usual = cls(newline="\r\n" if "\r\n" in text else "\n")
        text = text.replace("\r\n", "\n")
        mapping, items = _MAPPING_UNDER_KEY.search(text), _LIST_UNDER_KEY.search(text)
        step = len(mapping[2]) - len(mapping[1]) if mapping else 0
        dash = len(items[2]) - len(items[1]) if items else -1
        return cls(step if step > 0 else usual.step, dash if dash >= 0 else usual.dash, usual.newline)


def block_lines(pairs: Mapping[str, Any], style: Style) -> Iterator[str]:
    """The lines of a mapping in block style, not indented."""
    for key, value in pairs.items():
        start = f"{scalar_text(key)}:"
        if isinstance(value, dict) and value:
            yield start
            yield from (" " * style.step + line for line in block_lines(value, style))
        elif isinstance(value, list) and value:
            yield start
            yield from (" " * style.dash + line for item in value for line in _item_lines(item, style))
        else:
            yield f"{start} {_flow(value)}"


def _item_lines(item: Any, style: Style) -> Iterator[str]:
    lines = block_lines(item, style) if isinstance(item, dict) and item else [_flow(item)]
    for number, line in enumerate(lines):
        yield f"  {line}" if number else f"- {line}"


def flow_pairs(pairs: Mapping[str, Any]) -> str:
    """A mapping in flow style, without its braces."""
    return _flow(dict(pairs))[1:-1]


def scalar_text(value: Any, quote: str = "") -> str:
    """A single value, in quotes of this kind where it is a string."""
    if isinstance(value, str) and quote == '"':
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and quote == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return _flow(value)


def _flow(value: Any) -> str:
    # A string with line breaks is written with escapes, on one line.
    style = '"' if isinstance(value, str) and not value.isprintable() else None
    text = dump_yaml(value, default_flow_style=True, default_style=style, allow_unicode=True, width=UNBROKEN)
    return text.rstrip("\n").removesuffix("\n...")
