"""Reads an expression: recursive descent over its tokens, as cel-go's grammar (CEL.g4) has them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fake_dra_driver.cel.errors import CelSyntaxError, Issue
from fake_dra_driver.cel.lexer import Token, UnescapeError, tokens_of, unquote, unquote_bytes
from fake_dra_driver.cel.macro import MacroError, Macros
from fake_dra_driver.cel.syntaxtree import (
    Call,
    Entry,
    Identifier,
    ListOf,
    Literal,
    MapOf,
    Node,
    Select,
    Structure,
)
from fake_dra_driver.cel.value import Uint

__all__ = ["parse"]

_MAX_NESTING = 60
"""How deep expressions may stand in each other. cel-go allows 250, for which Python's stack is too small."""
_MAX_DEPTH = 150
"""How many parts may stand in each other, which is how many calls deep an evaluation goes."""
_LOOSE, _TIGHT = 0, 2
"""The levels of the operators that bind least and most, between logic and signs."""
_LEVELS: Mapping[str, int] = {
    **dict.fromkeys(("==", "!=", "<=", ">=", "<", ">", "in"), 0),
    **dict.fromkeys(("+", "-"), 1),
    **dict.fromkeys(("*", "/", "%"), 2),
}
_CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
_RESERVED = frozenset(
    (
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
        "namespace", "return", "var", "void", "while",
    )
)  # fmt: skip
_BRACKETS = ("[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?", ":")
_OPERAND_SIGNS = frozenset("[{(.-!")
_OPERAND_KINDS = ("'true'", "'false'", "'null'", "NUM_FLOAT", "NUM_INT", "NUM_UINT", "STRING", "BYTES", "IDENTIFIER")
"""What an operand may begin with, in ANTLR's words."""


def parse(source: str, macros: Macros, *, has_optional_syntax: bool = True) -> Node:
    """The syntax tree of an expression. Raises CelSyntaxError."""
    return _Parser(source, macros, has_optional_syntax=has_optional_syntax).whole()


class _Parser:
    """Reads one expression. Methods are named after what they read."""

    def __init__(self, source: str, macros: Macros, *, has_optional_syntax: bool) -> None:
        self._source = source
        self._macros = macros
        self._has_optional_syntax = has_optional_syntax
        self._tokens, issues = tokens_of(source)
        self._at = 0
        self._nesting = 0
        self._issues = list(issues)
        """What is wrong although it could be read."""

    def whole(self) -> Node:
        result = self._expression()
        token = self._peek()
        if token.kind != "end":
            word = "extraneous" if self._tokens[self._at + 1].kind == "end" else "mismatched"
            raise self._error(token.at, f"Syntax error: {word} input '{token.text}' expecting <EOF>")
        if self._issues:
            raise CelSyntaxError(self._source, self._issues)
        return result

    # --- tokens ---

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._at += token.kind != "end"
        return token

    def _accept(self, *texts: str) -> Token | None:
        token = self._peek()
        return self._take() if token.text in texts and token.kind in ("operator", "name") else None

    def _expect(self, text: str) -> Token:
        token = self._accept(text)
        if token is None:
            found = self._peek()
            # What may follow it makes ANTLR think that it was forgotten.
            is_missing = _begins_operand(found) if text == ":" else found.kind in ("end", "operator")
            raise self._unexpected(found, f"'{text}'", {text}, may_be_missing=is_missing)
        return token

    def _error(self, at: int | None, problem: str) -> CelSyntaxError:
        return CelSyntaxError(self._source, [*self._issues, Issue(at, problem)])

    def _unexpected(
        self, token: Token, expected: str, texts: Collection[str] = (), *, may_be_missing: bool = False
    ) -> CelSyntaxError:
        """A token that is one too many, or stands where another is missing, or is another, as ANTLR sees it."""
        shown = token.text or "<EOF>"
        following = self._tokens[min(self._tokens.index(token) + 1, len(self._tokens) - 1)]
        if token.kind != "end" and following.text in texts:
            return self._error(token.at, f"Syntax error: extraneous input '{shown}' expecting {expected}")
        if may_be_missing:
            return self._error(token.at, f"Syntax error: missing {expected} at '{shown}'")
        return self._error(token.at, f"Syntax error: mismatched input '{shown}' expecting {expected}")

    def _no_operand(self, token: Token, also: str = "") -> CelSyntaxError:
        """``also``: the signs that are allowed there as well."""
        signs = [f"'{each}'" for each in _BRACKETS if each in _OPERAND_SIGNS or each in also]
        expected = f"{{{', '.join((*signs, *_OPERAND_KINDS))}}}"
        shown = token.text or "<EOF>"
        before = self._tokens[max(self._tokens.index(token) - 1, 0)]
        following = self._tokens[min(self._tokens.index(token) + 1, len(self._tokens) - 1)]
        is_extra = _begins_operand(following) or following.text in tuple(also) or before.text == "!"
        word = "extraneous" if is_extra else "mismatched"
        return self._error(token.at, f"Syntax error: {word} input '{shown}' expecting {expected}")

    def _note(self, at: int, problem: str) -> Node:
        self._issues.append(Issue(at, problem))
        return Literal(at, None)

    def _bounded(self, node: Node) -> Node:
        """The part, if it is not made of too many others. Raises CelSyntaxError."""
        if node.depth > _MAX_DEPTH:
            raise self._error(None, "max recursion depth exceeded")
        return node

    # --- operators ---

    def _expression(self) -> Node:
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            raise self._error(None, f"expression recursion limit exceeded: {_MAX_NESTING}")
        result = self._logic("||")
        sign = self._accept("?")
        if sign is not None:
            yes = self._logic("||")
            self._expect(":")
            result = self._bounded(Call(sign.at, "_?_:_", [result, yes, self._expression()]))
        self._nesting -= 1
        return result

    def _logic(self, sign: str) -> Node:
        """``||``, and what is in it ``&&``. Long chains of them become balanced trees, as in cel-go."""
        sides: list[Node] = []
        signs: list[Token] = []
        while True:
            sides.append(self._logic("&&") if sign == "||" else self._operation(_LOOSE))
            found = self._accept(sign)
            if found is None:
                return self._bounded(_balanced(f"_{sign}_", sides, [each.at for each in signs]))
            signs.append(found)

    def _operation(self, level: int) -> Node:
        """Operators of this level or a tighter one, from left to right."""
        left = self._signed()
        while True:
            token = self._peek()
            found = _LEVELS.get(token.text, -1) if token.kind in ("operator", "name") else -1
            if found < level:
                return left
            self._take()
            right = self._signed() if found == _TIGHT else self._operation(found + 1)
            left = self._bounded(Call(token.at, "@in" if token.text == "in" else f"_{token.text}_", [left, right]))

    def _signed(self) -> Node:
        """``!`` or ``-``, any number of times, and what they stand before."""
        sign = self._accept("!", "-")
        if sign is None:
            return self._member()
        times = 1
        while self._accept(sign.text):
            times += 1
        token = self._peek()
        if sign.text == "-" and times == 1 and token.kind in ("int", "double"):
            return self._members(self._number(self._take(), sign))
        if sign.text == "-" and (token.text == "!" or not _begins_operand(token)):
            between = self._source[sign.at : token.at + len(token.text)].rstrip()
            raise self._error(token.at, f"Syntax error: no viable alternative at input '{between}'")
        inner = self._member()
        return self._bounded(Call(sign.at, f"{sign.text}_", [inner])) if times % 2 else inner

    # --- members and calls ---

    def _member(self) -> Node:
        minus, number = self._tokens[self._at : self._at + 2] if self._peek().text == "-" else (None, None)
        if minus is not None and number is not None and number.kind in ("int", "double"):
            self._at += 2
            return self._members(self._number(number, minus))
        return self._members(self._primary())

    def _members(self, value: Node) -> Node:
        while sign := self._accept(".", "["):
            value = self._bounded(self._index(sign, value) if sign.text == "[" else self._field(sign, value))
        return value

    def _index(self, bracket: Token, value: Node) -> Node:
        optional = self._optional(bracket, "[?")
        if not optional and not _begins_operand(self._peek()):
            raise self._no_operand(self._peek(), "?")
        at = self._expression()
        self._expect("]")
        return Call(bracket.at, "_[?_]" if optional else "_[_]", [value, at])

    def _field(self, dot: Token, value: Node) -> Node:
        optional = self._optional(dot, ".?")
        name = self._peek()
        if name.kind not in ("name", "escaped") or name.text in _CONSTANTS or name.text == "in":
            between = self._source[dot.at : name.at + len(name.text)]
            problem = f"Syntax error: no viable alternative at input '{between}'"
            if optional:
                raise self._unexpected(name, "{IDENTIFIER, ESC_IDENTIFIER}")
            if name.text in _CONSTANTS:
                problem = f"Syntax error: mismatched input '{name.text}' expecting IDENTIFIER"
            raise self._error(name.at, problem)
        self._take()
        if optional:
            return Call(dot.at, "_?._", [value, Literal(name.at, name.text.strip("`"))])
        if name.kind == "escaped":
            return Select(dot.at, value, name.text.strip("`"))
        if bracket := self._accept("("):
            return self._call(bracket.at, name.text, self._arguments(")"), value)
        return Select(dot.at, value, name.text)

    def _optional(self, sign: Token, syntax: str) -> bool:
        found = self._accept("?") is not None
        if found and not self._has_optional_syntax:
            self._note(sign.at, f"unsupported syntax '{syntax}'")
        return found

    def _call(self, at: int, name: str, arguments: Sequence[Node], target: Node | None = None) -> Node:
        """A call, or what it stands for if it is that of a macro."""
        macro = self._macros.get((name, len(arguments), target is not None))
        if macro is not None:
            try:
                found = macro(at, target, arguments)
            except MacroError as error:
                return self._note(error.node.at, str(error))
            if found is not None:
                return self._bounded(found)
        return self._bounded(Call(at, name, arguments, target))

    def _arguments(self, end: str) -> list[Node]:
        arguments: list[Node] = []
        while not self._accept(end):
            if arguments and not self._accept(","):
                self._expect(end)
                break
            if not arguments and not _begins_operand(self._peek()):
                raise self._no_operand(self._peek(), end)
            arguments.append(self._expression())
        return arguments

    def _is_at_end(self, end: str, elements: Sequence[object]) -> bool:
        """Goes on to the next element of a list or a map, if there is one. A comma may follow the last."""
        if self._accept(end):
            return True
        if not elements and self._accept(","):
            self._expect(end)
            return True
        if elements:
            if not self._accept(","):
                raise self._unexpected(self._peek(), f"{{'{end}', ','}}", {end, ","})
            if self._accept(end):
                return True
        token = self._peek()
        if _begins_operand(token) or token.text == "?":
            return False
        if elements:
            raise self._unexpected(token, f"'{end}'", {end}, may_be_missing=token.kind == "end")
        raise self._no_operand(token, f"{end},?")

    # --- primaries ---

    def _primary(self) -> Node:
        token = self._take()
        match token.kind:
            case "int" | "uint" | "double":
                return self._number(token)
            case "text" | "bytes":
                return self._text(token)
            case "name" if token.text in _CONSTANTS:
                return Literal(token.at, _CONSTANTS[token.text])
            case "name" if token.text != "in":
                return self._name(token)
        match token.text:
            case "(":
                inner = self._expression()
                self._expect(")")
                return inner
            case "[":
                return self._list(token)
            case "{":
                return self._map(token)
            case "." if self._peek().kind == "name":
                return self._name(self._take(), is_absolute=True)
        raise self._no_operand(token)

    def _number(self, token: Token, sign: Token | None = None) -> Node:
        at = token.at if sign is None else sign.at
        if token.kind == "double":
            double = float(token.text)
            if double == float("inf"):
                return self._note(at, "invalid double literal")
            return Literal(at, double if sign is None else -double)
        digits = token.text.rstrip("uU")
        # More digits than any number of 64 bits has need not be read.
        number = int(digits, 16 if digits.startswith("0x") else 10) if len(digits) <= len("0x") + 20 else 2**64
        if token.kind == "uint":
            return Literal(at, Uint(number)) if number < 2**64 else self._note(at, "invalid uint literal")
        number = number if sign is None else -number
        return Literal(at, number) if -(2**63) <= number < 2**63 else self._note(at, "invalid int literal")

    def _text(self, token: Token) -> Node:
        try:
            value = unquote(token.text) if token.kind == "text" else unquote_bytes(token.text)
        except UnescapeError as error:
            return self._note(token.at, str(error))
        return Literal(token.at, value)

    def _list(self, bracket: Token) -> Node:
        elements: list[Node] = []
        optional: list[int] = []
        while not self._is_at_end("]", elements):
            if self._optional_element():
                optional.append(len(elements))
            elements.append(self._expression())
        return ListOf(bracket.at, elements, optional)

    def _map(self, bracket: Token) -> Node:
        entries: list[Entry] = []
        while not self._is_at_end("}", entries):
            is_optional = self._optional_element()
            key = self._expression()
            self._expect(":")
            entries.append(Entry(key, self._expression(), is_optional=is_optional))
        return MapOf(bracket.at, entries)

    def _optional_element(self) -> bool:
        sign = self._accept("?")
        if sign is not None and not self._has_optional_syntax:
            self._note(sign.at, "unsupported syntax '?'")
        return sign is not None

    def _name(self, token: Token, *, is_absolute: bool = False) -> Node:
        name = token.text
        bracket = self._accept("(")
        arguments = self._arguments(")") if bracket else []
        if name in _RESERVED:
            return self._note(token.at, f"reserved identifier: {name}")
        if bracket:
            return self._call(bracket.at, name, arguments)
        dot = "." if is_absolute else ""
        return self._structure(dot) or Identifier(token.at, f"{dot}{name}")

    def _structure(self, dot: str) -> Node | None:
        """``a.b.C{field: value}``, if that is what the name begins."""
        ahead = self._at
        while self._tokens[ahead].text == "." and self._tokens[ahead + 1].kind == "name":
            ahead += 2
        if self._tokens[ahead].text != "{":
            return None
        name = dot + "".join(each.text for each in self._tokens[self._at - 1 : ahead])
        bracket = self._tokens[ahead]
        self._at = ahead + 1
        fields: list[tuple[int, str, Node]] = []
        while not self._is_at_end("}", fields):
            self._optional_element()
            field = self._take()
            if field.kind != "name":
                raise self._unexpected(field, "{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}", {"}"})
            colon = self._expect(":")
            fields.append((colon.at, field.text, self._expression()))
        return Structure(bracket.at, name, fields)


def _begins_operand(token: Token) -> bool:
    if token.kind in ("operator", "end", "escaped"):
        return token.text in _OPERAND_SIGNS if token.text else False
    return token.text != "in"


def _balanced(function: str, sides: Sequence[Node], signs: Sequence[int]) -> Node:
    """One side, or a tree of operators on them that is as flat as can be."""
    if len(sides) == 1:
        return sides[0]
    middle = len(signs) // 2
    left = _balanced(function, sides[: middle + 1], signs[:middle])
    right = _balanced(function, sides[middle + 1 :], signs[middle + 1 :])
    return Call(signs[middle], function, [left, right])
