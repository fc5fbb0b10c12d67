"""Text that others wrote, as people may see it: in one line, without what a terminal obeys or an eye misses, and short.

What an object, a server's answer, a file or a log holds is chosen by whoever may write it. Shown raw, an ESC clears the
screen, a newline forges a row, a right-to-left override turns a name around, and 900 KB bury everything else. Each sink
passes what it shows through here: tables and sentences on a terminal, Events, log lines. A sentence that quotes a name
cuts that name by itself, so that the rest of the sentence is still there.

Escaped, as Python writes it in a string (``\\n``, ``\\x1b``, ``\\u202e``):

- what ``str.isprintable`` refuses: controls (C0, DEL, C1), separators of lines and paragraphs, every blank but the
  space, format characters (bidi controls, zero width), lone surrogates, which cannot even be written as UTF-8, and what
  is private or not assigned;
- characters that show nothing and are no format characters, such as the Hangul filler;
- combining marks at the beginning, where they would join what stands before the text, and more than MAX_MARKS in a row.

Letters of any script and emoji stay as they are; letters that are written from right to left do too, and a terminal
that knows bidirectional text orders them by itself. A backslash stays as well, so that what was escaped once is not
escaped again: text may pass several sinks.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

__all__ = [
    "MAX_MARKS",
    "MAX_NAME",
    "MAX_SENTENCE",
    "cut",
    "escape",
    "json_escape",
    "one_line",
    "short_name",
    "some_lines",
]

MAX_NAME: Final = 253
"""Characters that are shown of a name: the longest that Kubernetes accepts, a DNS subdomain."""
MAX_SENTENCE: Final = 1024
"""Characters that are shown of a message: as many as events.k8s.io/v1 allows for its own."""
MAX_LINES: Final = 400
"""Lines that are shown of what was said in lines."""
MAX_MARKS: Final = 4
"""Combining marks in a row: Vietnamese has two on a letter, Hebrew with points and accents up to four."""

_INVISIBLE: Final = frozenset(
    # Of Default_Ignorable_Code_Point (DerivedCoreProperties.txt) what is no format character, and two blank symbols.
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U0001d159"
    + "".join(map(chr, (*range(0xFE00, 0xFE0E), *range(0xE0100, 0xE01F0))))  # variation selectors but those of emoji
)
_JOINER: Final = "\u200d"
"""Between two emoji it makes one of them, such as a family; elsewhere it shows nothing."""
_EMOJI: Final = frozenset({"So", "Sk"})
"""Categories of emoji and of their colours of skin."""
_BEYOND_ASCII: Final = re.compile(r".?[^\x20-\x7e\n]+")
"""With the character before it, which a combining mark belongs to."""


def one_line(text: str, limit: int = MAX_SENTENCE) -> str:
    """The text in one line of at most so many characters: escaped, and cut at the end, where it says how much is gone.

    Args:
        text: of any length; what is cut away costs nothing.
        limit: in characters, those of the escapes and of the ellipsis included; at least 1.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    kept: list[str] = []
    length = 0
    for piece in _pieces(text[: limit + 1]):  # one more than can be kept, so that the loop notices what is too long
        length += len(piece)
        if length > limit:
            return _ended(kept, len(text), limit)
        kept.append(piece)
    return "".join(kept)


def short_name(name: str) -> str:
    """A name as a sentence quotes it, in one line of at most MAX_NAME characters."""
    return one_line(name, MAX_NAME)


def escape(text: str) -> str:
    """The text in one line, of any length."""
    return text if text.isascii() and text.isprintable() else "".join(_pieces(text))


def some_lines(text: str) -> str:
    """What a command or a server has said in lines of its own: each of them in ``one_line``; of many, the first ones.

    A tab is as many blanks as a terminal makes of it. It is for the caller to make lines unlike those of its own.
    """
    lines = text.split("\n", MAX_LINES)
    if len(lines) > MAX_LINES:
        lines[MAX_LINES:] = [f"… ({lines[-1].count(chr(10)) + 1} more lines)"]
    return "\n".join(one_line(line.expandtabs()) for line in lines)


def cut(text: str, limit: int) -> str:
    """At most so many characters of the text, which is not escaped: for what is escaped as JSON afterwards."""
    return text if len(text) <= limit else _ended(list(text[:limit]), len(text), limit)


def json_escape(text: str) -> str:
    """A JSON text without characters that a terminal obeys or an eye misses, which JSON allows in its strings.

    It holds the same values: only the spelling changes. Newlines between the values stay.

    Args:
        text: made with ``ensure_ascii=False``, so that letters stay as they are.
    """
    if text.isascii() and "\x7f" not in text:
        return text
    return _BEYOND_ASCII.sub(lambda found: "".join(_pieces(found[0], _in_json)), text)


def _ended(pieces: list[str], characters: int, limit: int) -> str:
    """The beginning, and how much is missing of ``characters``: where there is little room, an ellipsis alone."""
    while True:
        end = f"… ({characters - len(pieces)} more characters)"
        if len(end) * 3 > limit:
            end = "…"
        if sum(map(len, pieces)) + len(end) <= limit and pieces[-1:] != [_JOINER]:
            return "".join(pieces) + end
        pieces.pop()


def _in_python(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _in_json(character: str) -> str:
    encoded = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{encoded[at : at + 2].hex()}" for at in range(0, len(encoded), 2))


def _pieces(text: str, escaped: Callable[[str], str] = _in_python) -> Iterator[str]:
    """For each character what is shown of it."""
    marks = MAX_MARKS
    for at, character in enumerate(text):
        if unicodedata.category(character) in {"Mn", "Me"}:
            marks += 1
            is_shown = marks <= MAX_MARKS and _is_shown(character)
        else:
            is_shown = _is_shown(character) or (character == _JOINER and _joins_emoji(text, at))
            marks = 0 if is_shown else MAX_MARKS
        yield character if is_shown else escaped(character)


def _is_shown(character: str) -> bool:
    return character.isprintable() and character not in _INVISIBLE


def _joins_emoji(text: str, at: int) -> bool:
    before = text[at - 1 : at] if text[at - 1 : at] != "\ufe0f" else text[at - 2 : at - 1]
    after = text[at + 1 : at + 2]
    return all(each and unicodedata.category(each) in _EMOJI for each in (before, after))
