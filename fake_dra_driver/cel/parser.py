"""Compiles a rule to a function: recursive descent over its tokens, with the types of all subexpressions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fake_dra_driver.cel.functions import FUNCTIONS, METHODS, NOT_HERE, Function
from fake_dra_driver.cel.lexer import CelSyntaxError, Token, tokens_of, unquote
from fake_dra_driver.cel.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    Kind,
    list_of,
    map_of,
    unescaped,
)
from fake_dra_driver.cel.values import (
    OPERATORS,
    CelError,
    Evaluate,
    Scope,
    as_bool,
    as_mapping,
    as_number,
    comprehend,
    either,
    index,
)

__all__ = ["Program", "compile_rule"]

_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">", "in")
_MACROS = ("all", "exists", "exists_one", "filter", "map")
_NUMBERS = ("int", "double")
_ADDED = ("int", "double", "string", "list")
_ORDERED = ("int", "double", "string", "bool")
_CONSTANTS: Mapping[str, tuple[Any, Kind]] = {"true": (True, BOOL), "false": (False, BOOL), "null": (None, NULL)}


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled rule."""

    source: str
    uses_old_self: bool
    """Whether it is a transition rule, which applies only to updates, where there is an old value."""
    kind: Kind
    """The type of its result."""
    _evaluate: Evaluate

    def holds(self, value: Any, old: Any = None) -> bool:
        """Whether the rule holds. Raises CelError when it cannot be evaluated."""
        result = self.evaluate(value, old)
        if not isinstance(result, bool):
            raise CelError(f"rule gives {result!r}, not a bool")
        return result

    def evaluate(self, value: Any, old: Any = None) -> Any:
        """Its result for a value. Raises CelError when it cannot be evaluated."""
        try:
            return self._evaluate({"self": value, "oldSelf": old})
        except (TypeError, ZeroDivisionError, OverflowError, AttributeError) as error:
            raise CelError(str(error)) from error


def compile_rule(source: str, kind: Kind = DYN) -> Program:
    """Compiles a rule about values of a type. Raises CelSyntaxError."""
    parser = _Parser(source, kind)
    found = parser.whole()
    return Program(source, "oldSelf" in parser.names, found.kind, found.evaluate)


class _Expression(NamedTuple):
    evaluate: Evaluate
    kind: Kind
    at: int


class _Parser:
    """Each method parses one level of precedence."""

    def __init__(self, source: str, kind: Kind) -> None:
        self._source = source
        self._tokens = tokens_of(source)
        self._at = 0
        self._bound = {"self": kind, "oldSelf": kind}
        self.names: set[str] = set()

    def whole(self) -> _Expression:
        result = self._ternary()
        token = self._tokens[self._at]
        if token.kind != "end":
            raise self._error(token.at, f"Syntax error: extraneous input '{token.text}' expecting <EOF>")
        return result

    # --- tokens ---

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._tokens[self._at]
        if token.kind == "end":
            raise self._error(token.at, "Syntax error: mismatched input '<EOF>'")
        self._at += 1
        return token

    def _accept(self, *texts: str) -> Token | None:
        token = self._peek()
        return self._take() if token.kind in ("operator", "name") and token.text in texts else None

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            found = self._peek()
            raise self._error(found.at, f"Syntax error: mismatched input '{found.text or '<EOF>'}' expecting '{text}'")

    def _error(self, at: int, problem: str) -> CelSyntaxError:
        return CelSyntaxError(self._source, at, problem)

    def _no_overload(self, at: int, name: str, *kinds: Kind) -> CelSyntaxError:
        shown = ", ".join(str(kind) for kind in kinds)
        return self._error(at, f"found no matching overload for '{name}' applied to '({shown})'")

    # --- operators ---

    def _ternary(self) -> _Expression:
        condition = self._or()
        sign = self._accept("?")
        if sign is None:
            return condition
        yes = self._or()
        self._expect(":")
        no = self._ternary()
        if not condition.kind.fits(BOOL) or not yes.kind.fits(no.kind):
            raise self._no_overload(sign.at, "_?_:_", condition.kind, yes.kind, no.kind)

        def evaluate(scope: Scope) -> Any:
            return yes.evaluate(scope) if as_bool(condition.evaluate(scope)) else no.evaluate(scope)

        return _Expression(evaluate, yes.kind if yes.kind == no.kind else DYN, sign.at)

    def _or(self) -> _Expression:
        left = self._and()
        while sign := self._accept("||"):
            left = self._logic(sign, left, self._and(), decides=True)
        return left

    def _and(self) -> _Expression:
        left = self._comparison()
        while sign := self._accept("&&"):
            left = self._logic(sign, left, self._comparison(), decides=False)
        return left

    def _logic(self, sign: Token, left: _Expression, right: _Expression, *, decides: bool) -> _Expression:
        for side in (left, right):
            if not side.kind.fits(BOOL):
                raise self._error(side.at, f"expected type 'bool' but found '{side.kind}'")
        return _Expression(either(left.evaluate, right.evaluate, decides=decides), BOOL, sign.at)

    def _comparison(self) -> _Expression:
        left = self._sum()
        while sign := self._accept(*_COMPARISONS):
            right = self._sum()
            if not _is_comparable(sign.text, left.kind, right.kind):
                name = "@in" if sign.text == "in" else f"_{sign.text}_"
                raise self._no_overload(sign.at, name, left.kind, right.kind)
            left = _binary(sign, left, right, BOOL)
        return left

    def _sum(self) -> _Expression:
        left = self._product()
        while sign := self._accept("+", "-"):
            left = self._arithmetic(sign, left, self._product(), _ADDED if sign.text == "+" else _NUMBERS)
        return left

    def _product(self) -> _Expression:
        left = self._unary()
        while sign := self._accept("*", "/", "%"):
            left = self._arithmetic(sign, left, self._unary(), ("int",) if sign.text == "%" else _NUMBERS)
        return left

    def _arithmetic(self, sign: Token, left: _Expression, right: _Expression, allowed: tuple[str, ...]) -> _Expression:
        is_known = all(side.kind.name in (*allowed, "dyn") for side in (left, right))
        if not is_known or not left.kind.fits(right.kind):
            raise self._no_overload(sign.at, f"_{sign.text}_", left.kind, right.kind)
        return _binary(sign, left, right, left.kind if left.kind.name != "dyn" else right.kind)

    def _unary(self) -> _Expression:
        if sign := self._accept("!"):
            inner = self._unary()
            if not inner.kind.fits(BOOL):
                raise self._no_overload(sign.at, "!_", inner.kind)
            return _Expression(lambda scope: not as_bool(inner.evaluate(scope)), BOOL, sign.at)
        if sign := self._accept("-"):
            negated = self._unary()
            if negated.kind.name not in (*_NUMBERS, "dyn"):
                raise self._no_overload(sign.at, "-_", negated.kind)
            return _Expression(lambda scope: -as_number(negated.evaluate(scope)), negated.kind, sign.at)
        return self._member()

    # --- members and calls ---

    def _member(self) -> _Expression:
        value = self._primary()
        while sign := self._accept(".", "["):
            if sign.text == "[":
                value = self._index(sign, value)
                continue
            name = self._take()
            if name.kind != "name":
                raise self._error(name.at, f"Syntax error: no viable alternative at input '.{name.text}'")
            if bracket := self._accept("("):
                value = self._call(value, name.text, bracket.at)
            else:
                value = self._select(value, unescaped(name.text), sign.at)
        return value

    def _index(self, sign: Token, value: _Expression) -> _Expression:
        at = self._ternary()
        self._expect("]")
        if value.kind.name not in ("list", "map", "dyn"):
            raise self._no_overload(sign.at, "_[_]", value.kind, at.kind)
        if not at.kind.fits(INT if value.kind.name == "list" else STRING) and value.kind.name != "dyn":
            raise self._no_overload(sign.at, "_[_]", value.kind, at.kind)

        def evaluate(scope: Scope) -> Any:
            return index(value.evaluate(scope), at.evaluate(scope))

        return _typed(evaluate, value.kind.field_of(""), sign.at)

    def _select(self, target: _Expression, name: str, at: int) -> _Expression:
        if target.kind.name not in ("object", "map", "dyn"):
            raise self._error(at, f"type '{target.kind}' does not support field selection")
        if not target.kind.has_field(name):
            raise self._error(at, f"undefined field '{name}'")

        def evaluate(scope: Scope) -> Any:
            value = as_mapping(target.evaluate(scope))
            if name not in value:
                raise CelError(f"no such key: {name}")
            return value[name]

        return _typed(evaluate, target.kind.field_of(name), at)

    def _call(self, target: _Expression, name: str, at: int) -> _Expression:
        if name in _MACROS:
            return self._macro(target, name, at)
        return self._overload(name, METHODS, [target, *self._arguments(")")], at)

    def _overload(
        self, name: str, known: Mapping[str, tuple[Function, ...]], arguments: list[_Expression], at: int
    ) -> _Expression:
        if name in NOT_HERE:
            raise self._error(at, f"the function '{name}' is not known to the embedded cluster")
        if name not in known:
            raise self._error(at, f"undeclared reference to '{name}' (in container '')")
        kinds = [each.kind for each in arguments]
        function = next((each for each in known[name] if _takes(each, kinds)), None)
        if function is None:
            raise self._no_overload(at, name, *kinds)
        evaluators = [each.evaluate for each in arguments]

        def evaluate(scope: Scope) -> Any:
            return function.call(*(each(scope) for each in evaluators))

        return _Expression(evaluate, function.gives(kinds[0]), at)

    def _macro(self, target: _Expression, name: str, at: int) -> _Expression:
        if target.kind.name not in ("list", "map", "dyn"):
            raise self._error(target.at, f"expression of type '{target.kind}' cannot be range of a comprehension")
        variable = self._take()
        if variable.kind != "name":
            raise self._error(variable.at, "argument must be a simple name")
        self._expect(",")
        item = STRING if target.kind.name == "map" else target.kind.field_of("")
        shadowed = self._bound.get(variable.text)
        self._bound[variable.text] = item
        body = self._ternary()
        if shadowed is None:
            del self._bound[variable.text]
        else:
            self._bound[variable.text] = shadowed
        self._expect(")")
        if name != "map" and not body.kind.fits(BOOL):
            raise self._no_overload(at, name, body.kind)
        kind = {"filter": list_of(item), "map": list_of(body.kind)}.get(name, BOOL)

        def evaluate(scope: Scope) -> Any:
            values = target.evaluate(scope)
            return comprehend(name, values, lambda each: body.evaluate({**scope, variable.text: each}))

        return _Expression(evaluate, kind, at)

    def _arguments(self, end: str) -> list[_Expression]:
        arguments: list[_Expression] = []
        while not self._accept(end):
            if arguments:
                self._expect(",")
            arguments.append(self._ternary())
        return arguments

    # --- primaries ---

    def _primary(self) -> _Expression:
        token = self._take()
        if token.kind == "number":
            number: Any = float(token.text) if "." in token.text else int(token.text, 0)
            return _Expression(lambda _: number, DOUBLE if isinstance(number, float) else INT, token.at)
        if token.kind == "string":
            literal = unquote(token.text)
            return _Expression(lambda _: literal, STRING, token.at)
        if token.kind == "name":
            return self._name(token)
        if token.text == "(":
            inner = self._ternary()
            self._expect(")")
            return inner
        if token.text == "[":
            items = self._arguments("]")
            kinds = {each.kind for each in items}
            kind = list_of(kinds.pop() if len(kinds) == 1 else DYN)
            return _Expression(lambda scope: [each.evaluate(scope) for each in items], kind, token.at)
        if token.text == "{":
            return self._map(token)
        raise self._error(token.at, f"Syntax error: extraneous input '{token.text}'")

    def _map(self, token: Token) -> _Expression:
        entries: list[tuple[_Expression, _Expression]] = []
        while not self._accept("}"):
            if entries:
                self._expect(",")
            key = self._ternary()
            self._expect(":")
            entries.append((key, self._ternary()))
        kinds = {value.kind for _, value in entries}
        kind = map_of(kinds.pop() if len(kinds) == 1 else DYN)
        return _Expression(
            lambda scope: {key.evaluate(scope): value.evaluate(scope) for key, value in entries}, kind, token.at
        )

    def _name(self, token: Token) -> _Expression:
        name = token.text
        if name in _CONSTANTS:
            value, kind = _CONSTANTS[name]
            return _Expression(lambda _: value, kind, token.at)
        if bracket := self._accept("("):
            if name == "has":
                return self._has(token)
            arguments = self._arguments(")")
            if not arguments:
                raise self._error(bracket.at, f"undeclared reference to '{name}' (in container '')")
            return self._overload(name, FUNCTIONS, arguments, bracket.at)
        if name not in self._bound:
            raise self._error(token.at, f"undeclared reference to '{name}' (in container '')")
        self.names.add(name)
        return _typed(lambda scope: scope[name], self._bound[name], token.at)

    def _has(self, token: Token) -> _Expression:
        """``has(target.field)``: the target is parsed again, without the field."""
        start = self._at
        self._ternary()
        self._expect(")")
        end = self._at
        inner = self._tokens[start : end - 1]
        if len(inner) < 3 or inner[-2].text != "." or inner[-1].kind != "name":
            raise self._error(token.at, "invalid argument to has() macro")
        field, whole = unescaped(inner[-1].text), self._tokens
        self._tokens = [*whole[: end - 3], Token("end", "", inner[-2].at)]
        self._at = start
        target = self._member()
        self._tokens, self._at = whole, end
        return _Expression(lambda scope: field in as_mapping(target.evaluate(scope)), BOOL, token.at)


def _binary(sign: Token, left: _Expression, right: _Expression, kind: Kind) -> _Expression:
    operate = OPERATORS[sign.text]
    return _Expression(lambda scope: operate(left.evaluate(scope), right.evaluate(scope)), kind, sign.at)


def _typed(evaluate: Evaluate, kind: Kind, at: int) -> _Expression:
    """A value that comes from JSON, where doubles may look like integers."""
    if kind.name != "double":
        return _Expression(evaluate, kind, at)

    def as_double(scope: Scope) -> Any:
        value = evaluate(scope)
        return float(value) if isinstance(value, int) else value

    return _Expression(as_double, kind, at)


def _is_comparable(sign: str, left: Kind, right: Kind) -> bool:
    if sign == "in":
        if right.name in ("map", "object"):
            return left.fits(STRING)
        return right.name == "dyn" or (right.name == "list" and left.fits(right.field_of("")))
    if sign in ("==", "!="):
        return left.fits(right)
    kinds = {left.name, right.name} - {"dyn"}
    return kinds <= set(_ORDERED) and (len(kinds) < 2 or kinds == set(_NUMBERS))


def _takes(function: Function, kinds: list[Kind]) -> bool:
    return len(kinds) == len(function.takes) and all(map(_is_one_of, kinds, function.takes))


def _is_one_of(kind: Kind, wanted: str) -> bool:
    if wanted == "any" or kind.name == "dyn":
        return True
    if wanted == "list of numbers":
        return kind.name == "list" and kind.field_of("").name in (*_NUMBERS, "dyn")
    return kind.name in wanted.split("|")
