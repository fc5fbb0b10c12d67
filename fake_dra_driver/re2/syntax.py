"""Reads regular expressions in RE2's syntax, with the words that Go has for what is wrong with one.

Follows Go's regexp/syntax (parse.go) with the flags of regexp.Compile: one pass with a stack, so that no nesting is too
deep for it. Groups only group: what they capture is asked for nowhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NoReturn

from fake_dra_driver.re2.charset import (
    ANY,
    CATEGORIES,
    NOT_NEWLINE,
    PERL,
    POSIX,
    CharSet,
    category,
    chars,
    of_ranges,
    union,
)

__all__ = ["Assertion", "Form", "Node", "PatternError", "parse"]

_MAX_REPEATS = 1000
"""The most that a repetition may ask for, those within it included (maxRepeat)."""
_MAX_HEIGHT = 1000
"""The deepest nesting (maxHeight)."""
_MAX_SIZE = 10_000
"""The most states that an expression may stand for. Go allows more than three million of them, and takes 128 MB."""
_MAX_LENGTH = 50_000
"""The longest text of an expression. Go has no limit but its memory."""
_ESCAPED = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LAST_CHAR = 0x10FFFF
_HEX = frozenset("0123456789abcdefABCDEF")
_OCTAL = frozenset("01234567")
_DIGITS = frozenset("0123456789")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class PatternError(ValueError):
    """The text is no regular expression; the message is Go's."""

    def __init__(self, problem: str, found: str) -> None:
        super().__init__(f"error parsing regexp: {problem}: `{found}`")


class Assertion(Enum):
    """What must hold between two characters."""

    BEGIN_TEXT = auto()
    END_TEXT = auto()
    BEGIN_LINE = auto()
    END_LINE = auto()
    WORD_BOUNDARY = auto()
    NO_WORD_BOUNDARY = auto()


class Form(Enum):
    """What a node of an expression is."""

    CHARS = auto()
    ASSERTION = auto()
    SEQUENCE = auto()
    CHOICE = auto()
    GROUP = auto()
    REPEAT = auto()


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression."""

    form: Form
    parts: tuple["Node", ...] = ()
    chars: CharSet = ANY
    assertion: Assertion = Assertion.BEGIN_TEXT
    least: int = 0
    most: int | None = None
    """None: any number."""
    is_lazy: bool = False
    height: int = 1
    size: int = 1
    """How many states it stands for."""
    repeats: int = 1
    """The largest product of counts on a way down."""


@dataclass(frozen=True, slots=True)
class _Flags:
    folds: bool = False
    lines: bool = False
    dot_takes_newline: bool = False
    swaps_greed: bool = False


class _Group:
    """A group that is not closed yet: the choices that are complete, and the sequence that is being read."""

    def __init__(self, flags: _Flags, *, captures: bool) -> None:
        self.flags = flags
        """To be restored when it is closed."""
        self.captures = captures
        self.choices: list[Node] = []
        self.sequence: list[Node] = []


def parse(pattern: str) -> Node:
    """The expression that a text stands for. Raises PatternError."""
    return _Parser(pattern).parse()


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._flags = _Flags()
        self._groups = [_Group(self._flags, captures=False)]
        self._size = 0

    def parse(self) -> Node:
        if len(self._pattern) > _MAX_LENGTH:
            self._fail("expression too large", self._pattern)
        repeat_began = -1
        while self._at < len(self._pattern):
            start, is_repeat = self._at, False
            match self._pattern[start]:
                case "(":
                    self._open()
                case "|":
                    self._at += 1
                    self._end_choice()
                case ")":
                    self._close()
                case "[":
                    self._push_chars(self._class())
                case "\\":
                    self._escape()
                case "*" | "+" | "?" | "{":
                    is_repeat = self._repetition(repeat_began)
                case sign:
                    self._at += 1
                    self._push(self._plain(sign))
            repeat_began = start if is_repeat else -1
        if len(self._groups) > 1:
            self._fail("missing closing )", self._pattern)
        self._end_choice()
        return _choice(self._groups[0].choices)

    def _fail(self, problem: str, found: str) -> NoReturn:
        raise PatternError(problem, found)

    def _since(self, start: int) -> str:
        return self._pattern[start : self._at]

    def _push(self, node: Node) -> None:
        if node.height > _MAX_HEIGHT:
            self._fail("expression nests too deeply", self._pattern)
        self._size += node.size - sum(part.size for part in node.parts)
        if self._size > _MAX_SIZE:
            self._fail("expression too large", self._pattern)
        self._groups[-1].sequence.append(node)

    def _push_chars(self, found: CharSet) -> None:
        self._push(Node(Form.CHARS, chars=found))

    def _push_assertion(self, assertion: Assertion) -> None:
        self._push(Node(Form.ASSERTION, assertion=assertion))

    def _plain(self, sign: str) -> Node:
        flags = self._flags
        match sign:
            case ".":
                return Node(Form.CHARS, chars=ANY if flags.dot_takes_newline else NOT_NEWLINE)
            case "^":
                return Node(Form.ASSERTION, assertion=Assertion.BEGIN_LINE if flags.lines else Assertion.BEGIN_TEXT)
            case "$":
                return Node(Form.ASSERTION, assertion=Assertion.END_LINE if flags.lines else Assertion.END_TEXT)
        return Node(Form.CHARS, chars=chars(sign, folds=flags.folds))

    # --- groups ---

    def _open(self) -> None:
        rest = self._pattern[self._at : self._at + 4]
        if not rest.startswith("(?"):
            self._at += 1
            self._groups.append(_Group(self._flags, captures=True))
        elif rest == "(?P<" or rest.startswith("(?<"):
            self._named_group(4 if rest[2] == "P" else 3)
        else:
            self._flags_of_group()

    def _named_group(self, head: int) -> None:
        start, end = self._at, self._pattern.find(">", self._at)
        if end < 0:
            # Go asks for a letter of the name, too.
            is_named = len(self._pattern) > start + head
            self._fail(
                "invalid named capture" if is_named else "invalid or unsupported Perl syntax",
                self._pattern[start:] if is_named else self._pattern[start : start + 3],
            )
        name = self._pattern[start + head : end]
        if not name or not all(sign == "_" or sign in _LETTERS or sign in _DIGITS for sign in name):
            self._fail("invalid named capture", self._pattern[start : end + 1])
        self._at = end + 1
        self._groups.append(_Group(self._flags, captures=True))

    def _flags_of_group(self) -> None:
        """``(?i)`` or ``(?i:``: flags for the rest of the group, or for a group of their own."""
        start, flags, is_on, saw_any = self._at, self._flags, True, False
        self._at += 2
        while self._at < len(self._pattern):
            sign = self._pattern[self._at]
            self._at += 1
            match sign:
                case "i":
                    flags = replace(flags, folds=is_on)
                case "m":
                    flags = replace(flags, lines=is_on)
                case "s":
                    flags = replace(flags, dot_takes_newline=is_on)
                case "U":
                    flags = replace(flags, swaps_greed=is_on)
                case "-" if is_on:
                    is_on, saw_any = False, False
                    continue
                case ":" | ")" if is_on or saw_any:
                    if sign == ":":
                        self._groups.append(_Group(self._flags, captures=False))
                    self._flags = flags
                    return
                case _:
                    break
            saw_any = True
        self._fail("invalid or unsupported Perl syntax", self._since(start))

    def _end_choice(self) -> None:
        group = self._groups[-1]
        group.choices.append(_sequence(group.sequence))
        group.sequence = []

    def _close(self) -> None:
        self._end_choice()
        if len(self._groups) == 1:
            self._fail("unexpected )", self._pattern)
        group = self._groups.pop()
        self._at += 1
        self._flags = group.flags
        node = _choice(group.choices)
        if group.captures:
            node = Node(Form.GROUP, (node,), height=node.height + 1, size=node.size + 2, repeats=node.repeats)
        self._groups[-1].sequence.append(node)
        if node.height > _MAX_HEIGHT:
            self._fail("expression nests too deeply", self._pattern)

    # --- repetitions ---

    def _repetition(self, repeat_began: int) -> bool:
        """Reads one, if it is one. ``repeat_began``: where the repetition just before began, or -1."""
        start = self._at
        counts = self._counts()
        if counts is None:
            self._at = start + 1
            self._push_chars(chars("{"))
            return False
        least, most = counts
        is_lazy = self._flags.swaps_greed
        if self._pattern.startswith("?", self._at):
            self._at += 1
            is_lazy = not is_lazy
        if repeat_began >= 0:
            self._fail("invalid nested repetition operator", self._since(repeat_began))
        sequence = self._groups[-1].sequence
        if not sequence:
            self._fail("missing argument to repetition operator", self._since(start))
        inner = sequence.pop()
        repeats = inner.repeats * max(least, most or 0, 1)
        if self._pattern[start] == "{" and max(least, most or 0) >= 2 and repeats > _MAX_REPEATS:
            self._fail("invalid repeat count", self._since(start))
        copies = inner.size * max(least, 1) + 1 if most is None else inner.size * most + most - least
        self._push(
            Node(
                Form.REPEAT,
                (inner,),
                least=least,
                most=most,
                is_lazy=is_lazy,
                height=inner.height + 1,
                size=max(copies, 1),
                repeats=repeats,
            )
        )
        return True

    def _counts(self) -> tuple[int, int | None] | None:
        """Least and most of a repetition; None: its brace is a brace."""
        start, sign = self._at, self._pattern[self._at]
        self._at += 1
        if sign != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        least = self._number()
        if least is None:
            return None
        most: int | None = least
        if self._pattern.startswith(",", self._at):
            self._at += 1
            is_open = self._pattern.startswith("}", self._at)
            most = None if is_open else self._number()
            if most is None and not is_open:
                return None
        if not self._pattern.startswith("}", self._at):
            return None
        self._at += 1
        if max(least, most or 0) > _MAX_REPEATS or (most is not None and least > most):
            self._fail("invalid repeat count", self._since(start))
        return least, most

    def _number(self) -> int | None:
        """A number without leading zeros; one that is too large for any use is cut to one that is too large as well."""
        start = self._at
        while self._at < len(self._pattern) and self._pattern[self._at] in _DIGITS:
            self._at += 1
        digits = self._since(start)
        if not digits or (len(digits) > 1 and digits[0] == "0"):
            return None
        return int(digits[:5])

    # --- escapes ---

    def _escape(self) -> None:
        match self._pattern[self._at + 1 : self._at + 2]:
            case "A":
                found = Assertion.BEGIN_TEXT
            case "b":
                found = Assertion.WORD_BOUNDARY
            case "B":
                found = Assertion.NO_WORD_BOUNDARY
            case "z":
                found = Assertion.END_TEXT
            case "C":
                self._fail("invalid escape sequence", r"\C")
            case "Q":
                self._quoted()
                return
            case _:
                group = self._class_escape()
                if group is None:
                    group = chars(self._escaped_char(), folds=self._flags.folds)
                self._push_chars(group)
                return
        self._at += 2
        self._push_assertion(found)

    def _quoted(self) -> None:
        literal, end, _ = self._pattern[self._at + 2 :].partition(r"\E")
        self._at += 2 + len(literal) + len(end)
        for char in literal:
            self._push_chars(chars(char, folds=self._flags.folds))

    def _class_escape(self) -> CharSet | None:
        """``\\d`` and the like, or ``\\p{...}``."""
        letter = self._pattern[self._at + 1 : self._at + 2]
        if letter in ("p", "P"):
            return self._property()
        ranges = PERL.get(letter.lower()) if letter else None
        if ranges is None:
            return None
        self._at += 2
        return of_ranges(*ranges, negated=letter.isupper(), folds=self._flags.folds)

    def _property(self) -> CharSet:
        start, negated = self._at, self._pattern[self._at + 1] == "P"
        self._at += 3
        name = self._pattern[self._at - 1 : self._at]
        if name == "{":
            end = self._pattern.find("}", self._at)
            name = self._pattern[self._at : end] if end >= 0 else ""
            self._at = end + 1 if end >= 0 else len(self._pattern)
            if name.startswith("^"):
                name, negated = name[1:], not negated
        if name == "Any":
            return replace(ANY, negated=negated)
        if name not in CATEGORIES:
            self._fail("invalid character class range", self._since(start))
        return category(name, negated=negated, folds=self._flags.folds)

    def _escaped_char(self) -> str:
        start = self._at
        self._at += 1
        if self._at == len(self._pattern):
            self._fail("trailing backslash at end of expression", "")
        sign = self._pattern[self._at]
        self._at += 1
        if sign in _ESCAPED:
            return _ESCAPED[sign]
        if sign < "\x80" and sign not in _LETTERS and sign not in _DIGITS:
            return sign
        code = None
        following = self._pattern[self._at : self._at + 1]
        if sign == "0" or (sign in _OCTAL and following in _OCTAL and following):
            code = self._octal()
        elif sign == "x":
            code = self._hexadecimal()
        if code is None:
            self._fail("invalid escape sequence", self._since(start))
        return chr(code)

    def _octal(self) -> int:
        start = self._at - 1
        while self._at < min(start + 3, len(self._pattern)) and self._pattern[self._at] in _OCTAL:
            self._at += 1
        return int(self._since(start), 8)

    def _hexadecimal(self) -> int | None:
        """The digits behind ``\\x``: two, or any number in braces. None: they are not right up to here."""
        if not self._pattern.startswith("{", self._at):
            self._at += 2
            digits = self._pattern[self._at - 2 : self._at]
            self._at = min(self._at, len(self._pattern))
            return int(digits, 16) if len(digits) == 2 and _HEX.issuperset(digits) else None
        self._at += 1
        start, code = self._at, 0
        while self._at < len(self._pattern):
            sign = self._pattern[self._at]
            self._at += 1
            if sign == "}":
                return code if self._at > start + 1 else None
            if sign not in _HEX:
                return None
            code = code * 16 + int(sign, 16)
            if code > _LAST_CHAR:
                return None
        return None

    # --- classes ---

    def _class(self) -> CharSet:
        start = self._at
        self._at += 1
        negated = self._pattern.startswith("^", self._at)
        self._at += negated
        sets: list[CharSet] = []
        ranges: list[tuple[str, str]] = []
        is_first = True
        while is_first or not self._pattern.startswith("]", self._at):
            is_first = False
            found = self._posix_class()
            if found is None and self._pattern.startswith("\\", self._at):
                found = self._class_escape()
            if found is not None:
                sets.append(found)
            else:
                ranges.append(self._range(start))
        self._at += 1
        if ranges:
            sets.append(of_ranges(*ranges, folds=self._flags.folds))
        return union(sets, negated=negated)

    def _posix_class(self) -> CharSet | None:
        if not self._pattern.startswith("[:", self._at):
            return None
        end = self._pattern.find(":]", self._at + 2)
        if end < 0:
            return None
        name = self._pattern[self._at + 2 : end]
        ranges = POSIX.get(name.removeprefix("^"))
        if ranges is None:
            self._fail("invalid character class range", self._pattern[self._at : end + 2])
        self._at = end + 2
        return of_ranges(*ranges, negated=name.startswith("^"), folds=self._flags.folds)

    def _range(self, class_start: int) -> tuple[str, str]:
        start = self._at
        first = last = self._class_char(class_start)
        rest = self._pattern[self._at : self._at + 2]
        if len(rest) == 2 and rest[0] == "-" and rest[1] != "]":
            self._at += 1
            last = self._class_char(class_start)
            if last < first:
                self._fail("invalid character class range", self._since(start))
        return first, last

    def _class_char(self, class_start: int) -> str:
        if self._at == len(self._pattern):
            self._fail("missing closing ]", self._pattern[class_start:])
        if self._pattern[self._at] == "\\":
            return self._escaped_char()
        self._at += 1
        return self._pattern[self._at - 1]


def _sequence(parts: Sequence[Node]) -> Node:
    return _joined(Form.SEQUENCE, parts, 0)


def _choice(parts: Sequence[Node]) -> Node:
    return _joined(Form.CHOICE, parts, len(parts) - 1)


def _joined(form: Form, parts: Sequence[Node], extra: int) -> Node:
    if len(parts) == 1:
        return parts[0]
    return Node(
        form,
        tuple(parts),
        height=max((part.height for part in parts), default=0) + 1,
        size=max(sum(part.size for part in parts) + extra, 1),
        repeats=max((part.repeats for part in parts), default=1),
    )
