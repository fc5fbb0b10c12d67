"""Tokens of CEL."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from fake_dra_driver.cel.errors import CelSyntaxError, Issue

__all__ = ["Token", "UnescapeError", "tokens_of", "unquote", "unquote_bytes"]

_MAX_LENGTH = 100_000
"""The longest expression (cel-go's limit, which a real API server keeps)."""
_ESCAPE = r"\\(?:[abfnrtv\"'\\?`]|[0-3][0-7]{2}|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"
_TOKEN = re.compile(
    rf"""(?P<space>(?:[\t \r\n\f]|//[^\n]*)+)
    |(?P<double>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<uint>(?:0x[0-9a-fA-F]+|\d+)[uU])
    |(?P<int>0x[0-9a-fA-F]+|\d+)
    |(?P<text>[bB]?(?:[rR](?:\"\"\"(?s:.*?)\"\"\"|'''(?s:.*?)'''|"[^"\n\r]*"|'[^'\n\r]*')
        |\"\"\"(?:{_ESCAPE}|[^\\])*?\"\"\"|'''(?:{_ESCAPE}|[^\\])*?'''
        |"(?:{_ESCAPE}|[^\\"\n\r])*"|'(?:{_ESCAPE}|[^\\'\n\r])*'))
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<escaped>`[A-Za-z0-9_./\ -]+`)
    |(?P<operator>\|\||&&|==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{{}}])""",
    re.VERBOSE | re.ASCII,
)
_ESCAPED = re.compile(r"\\(?:([xXuU])([0-9a-fA-F]+)|([0-3][0-7]{2})|(.))", re.DOTALL)
_HEX_DIGITS = {"x": 2, "X": 2, "u": 4, "U": 8}
_CHARS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_MAX_ERRORS = 100


class UnescapeError(ValueError):
    """A text holds an escape sequence that stands for nothing."""


_BEGUN = re.compile(
    r"""[=&|]
    |"(?:[^\\"\n\r]|ESCAPE)*(?:\\(?:[0-3][0-7]?|[xX][0-9a-fA-F]?|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7})?)?
    |'(?:[^\\'\n\r]|ESCAPE)*(?:\\(?:[0-3][0-7]?|[xX][0-9a-fA-F]?|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7})?)?
    |`[A-Za-z0-9_./\ -]*""".replace("ESCAPE", _ESCAPE),
    re.VERBOSE,
)
"""What could have become a token."""


class Token(NamedTuple):
    """A token, and where it begins."""

    kind: str
    """int, uint, double, text, bytes, name, escaped, operator, or end."""
    text: str
    at: int


def tokens_of(source: str) -> tuple[Sequence[Token], Sequence[Issue]]:
    """The tokens of an expression, followed by an ``end``, and what is no token.

    Raises CelSyntaxError if the expression is too long.
    """
    if len(source) > _MAX_LENGTH:
        problem = f"expression code point size exceeds limit: size: {len(source)}, limit {_MAX_LENGTH}"
        raise CelSyntaxError(source, [Issue(None, problem)])
    result: list[Token] = []
    issues: list[Issue] = []
    at = 0
    while at < len(source) and len(issues) < _MAX_ERRORS:
        found = _TOKEN.match(source, at)
        if found is None:
            begun = _BEGUN.match(source, at)
            wrong = source[at : (begun.end() if begun else at) + 1]
            issues.append(Issue(at, f"Syntax error: token recognition error at: '{wrong}'"))
            at += len(wrong)
            continue
        kind = str(found.lastgroup)
        if kind == "text" and found[0][0] in "bB":
            kind = "bytes"
        if kind != "space":
            result.append(Token(kind, found[0], at))
        at = found.end()
    return [*result, Token("end", "", len(source))], issues


def unquote(literal: str) -> str:
    """The text that a string literal stands for. Raises UnescapeError."""
    is_raw, inner = _inner(literal)
    return inner if is_raw else _ESCAPED.sub(_unescape, inner)


def unquote_bytes(literal: str) -> bytes:
    """The bytes that a bytes literal stands for. Raises UnescapeError."""
    is_raw, inner = _inner(literal[1:])
    if is_raw:
        return inner.encode()
    result, at = b"", 0
    for found in _ESCAPED.finditer(inner):
        result += inner[at : found.start()].encode()
        form, digits, octal, char = found.groups()
        if form in ("u", "U"):
            raise UnescapeError("unable to unescape string")
        code = int(digits, 16) if form else int(octal, 8) & 0xFF if octal else ord(_CHARS.get(char, char))
        result += bytes([code])
        at = found.end()
    return result + inner[at:].encode()


def _inner(literal: str) -> tuple[bool, str]:
    is_raw = literal[0] in "rR"
    literal = literal[is_raw:]
    quotes = 3 if len(literal) >= 6 and literal[:3] in ('"""', "'''") else 1
    return is_raw, literal[quotes:-quotes]


def _unescape(found: re.Match[str]) -> str:
    form, digits, octal, char = found.groups()
    if form:
        size = _HEX_DIGITS[form]
        code, rest = int(digits[:size], 16), digits[size:]
    elif octal:
        code, rest = int(octal, 8), ""
    else:
        return _CHARS.get(char, char)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise UnescapeError("invalid unicode code point")
    return chr(code) + rest
