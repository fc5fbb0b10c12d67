"""Tokens of CEL."""

import re
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["CelSyntaxError", "Token", "tokens_of", "unquote"]

_MAX_LENGTH = 100_000
"""The longest expression (cel-go's limit, which a real API server keeps)."""
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|0x[0-9a-fA-F]+|\d+)(?P<unsigned>u?)
    |(?P<string>r?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))
    |(?P<name>[A-Za-z_]\w*)
    |(?P<operator>\|\||&&|==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}]))""",
    re.VERBOSE | re.ASCII,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class CelSyntaxError(ValueError):
    """The rule is not CEL, or not supported here; the message shows where, as in cel-go."""

    def __init__(self, source: str, at: int | None, problem: str) -> None:
        """``at``: None if it is about the whole, which may be too long to be shown."""
        if at is None:
            super().__init__(f"ERROR: <input>:-1:0: {problem}")
        else:
            dots = "." * at
            super().__init__(f"ERROR: <input>:1:{at + 1}: {problem}\n | {source}\n | {dots}^")


class Token(NamedTuple):
    """A token, and where it begins."""

    kind: str
    """number, string, name, operator, or end."""
    text: str
    at: int


def tokens_of(source: str) -> Sequence[Token]:
    """The tokens of a rule, followed by an ``end``. Raises CelSyntaxError."""
    if len(source) > _MAX_LENGTH:
        problem = f"expression code point size exceeds limit: size: {len(source)}, limit {_MAX_LENGTH}"
        raise CelSyntaxError(source, None, problem)
    result, at, text = [], 0, source.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise CelSyntaxError(source, at, f"Syntax error: token recognition error at: '{text[at:].strip()[:1]}'")
        kind = str(found.lastgroup if found.lastgroup != "unsigned" else "number")
        result.append(Token(kind, found[kind], found.start(kind)))
        at = found.end()
    return [*result, Token("end", "", len(source))]


def unquote(text: str) -> str:
    """The text that a string literal stands for."""
    if text.startswith("r"):
        return text[2:-1]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1])
