"""Compiles a rule to a function: recursive descent over its tokens, with the types of all subexpressions."""

from collections.abc import Callable, Iterable, Mapping
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
    comprehend,
    index,
    junction,
    negated,
)
from fake_dra_driver.re2 import PatternError, compile_pattern

__all__ = ["Expression", "Parser"]

_MAX_NESTING = 60
"""How deep expressions may stand in each other. cel-go allows 250, for which Python's stack is too small."""
_MAX_DEPTH = 150
"""How many calls deep an evaluation may go: the longest chain of operators, members and calls."""
_LOOSE, _TIGHT = 0, 2
"""The levels of the operators that bind least and most, between logic and signs."""
_LEVELS: Mapping[str, int] = {
    **dict.fromkeys(("==", "!=", "<=", ">=", "<", ">", "in"), 0),
    **dict.fromkeys(("+", "-"), 1),
    **dict.fromkeys(("*", "/", "%"), 2),
}
_MACROS = ("all", "exists", "exists_one", "filter", "map")
_CALL_DEPTH, _MACRO_DEPTH = 2, 5
"""How many calls of Python lie between a call or a list and its arguments, and between a macro and its body."""
_NUMBERS = ("int", "double")
_SUMMANDS = ("int", "double", "string", "list")
_ORDERED = ("int", "double", "string", "bool")
_CONSTANTS: Mapping[str, tuple[Any, Kind]] = {"true": (True, BOOL), "false": (False, BOOL), "null": (None, NULL)}
_LIST_COST, _MAP_COST = 10, 30


class Expression(NamedTuple):
    """A part of a rule."""

    evaluate: Evaluate
    kind: Kind
    at: int
    depth: int = 1
    """How many calls deep its evaluation goes."""
    selection: "tuple[Expression, str] | None" = None
    """Of what it selects which field, if that is what it does."""


class Parser:
    """Reads one rule. Methods are named after what they read."""

    def __init__(self, source: str, kind: Kind) -> None:
        """Raises CelSyntaxError."""
        self._source = source
        self._tokens = tokens_of(source)
        self._at = 0
        self._nesting = 0
        self._bound = {"self": kind, "oldSelf": kind}
        self.names: set[str] = set()
        """All names that it refers to."""

    def whole(self) -> Expression:
        """The rule. Raises CelSyntaxError."""
        result = self._expression()
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

    def _error(self, at: int | None, problem: str) -> CelSyntaxError:
        return CelSyntaxError(self._source, at, problem)

    def _no_overload(self, at: int, name: str, *kinds: Kind) -> CelSyntaxError:
        shown = ", ".join(str(kind) for kind in kinds)
        return self._error(at, f"found no matching overload for '{name}' applied to '({shown})'")

    def _made(self, evaluate: Evaluate, kind: Kind, at: int, parts: Iterable[Expression], extra: int = 1) -> Expression:
        """An expression that evaluates others. Raises CelSyntaxError when that goes too deep."""
        depth = max((part.depth for part in parts), default=0) + extra
        if depth > _MAX_DEPTH:
            raise self._error(None, "max recursion depth exceeded")
        return Expression(evaluate, kind, at, depth)

    # --- operators ---

    def _expression(self) -> Expression:
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            raise self._error(None, f"expression recursion limit exceeded: {_MAX_NESTING}")
        condition = self._logic()
        sign = self._accept("?")
        result = condition if sign is None else self._choice(sign, condition)
        self._nesting -= 1
        return result

    def _choice(self, sign: Token, condition: Expression) -> Expression:
        yes = self._logic()
        self._expect(":")
        no = self._expression()
        if not condition.kind.fits(BOOL) or not yes.kind.fits(no.kind):
            raise self._no_overload(sign.at, "_?_:_", condition.kind, yes.kind, no.kind)

        def evaluate(scope: Scope) -> Any:
            scope.meter.spend(1)
            return yes.evaluate(scope) if as_bool(condition.evaluate(scope)) else no.evaluate(scope)

        kind = yes.kind if yes.kind == no.kind else DYN
        return self._made(evaluate, kind, sign.at, (condition, yes, no))

    def _logic(self) -> Expression:
        """``||``, and what is in it ``&&``. Long chains of them are flat."""
        sides, first_sign = [], None
        while True:
            sides.append(self._conjunction())
            sign = self._accept("||")
            if sign is None:
                return self._junction(sides, first_sign, decides=True)
            first_sign = first_sign or sign

    def _conjunction(self) -> Expression:
        sides, first_sign = [], None
        while True:
            sides.append(self._operation(_LOOSE))
            sign = self._accept("&&")
            if sign is None:
                return self._junction(sides, first_sign, decides=False)
            first_sign = first_sign or sign

    def _junction(self, sides: list[Expression], sign: Token | None, *, decides: bool) -> Expression:
        if sign is None:
            return sides[0]
        for side in sides:
            if not side.kind.fits(BOOL):
                raise self._error(side.at, f"expected type 'bool' but found '{side.kind}'")
        return self._made(junction([side.evaluate for side in sides], decides=decides), BOOL, sign.at, sides)

    def _operation(self, level: int) -> Expression:
        """Operators of this level or a tighter one, from left to right."""
        left = self._signed()
        while True:
            token = self._peek()
            found = _LEVELS.get(token.text, -1) if token.kind in ("operator", "name") else -1
            if found < level:
                return left
            self._take()
            right = self._signed() if found == _TIGHT else self._operation(found + 1)
            left = self._binary(token, left, right)

    def _binary(self, sign: Token, left: Expression, right: Expression) -> Expression:
        name, operate = sign.text, OPERATORS[sign.text]
        if not _takes_operands(name, left.kind, right.kind):
            raise self._no_overload(sign.at, "@in" if name == "in" else f"_{name}_", left.kind, right.kind)

        def evaluate(scope: Scope) -> Any:
            return operate(left.evaluate(scope), right.evaluate(scope), scope.meter)

        known = left.kind if left.kind.name != "dyn" else right.kind
        return self._made(evaluate, BOOL if _LEVELS[name] == _LOOSE else known, sign.at, (left, right))

    def _signed(self) -> Expression:
        """``!`` or ``-``, any number of times, and what they stand before."""
        sign = self._accept("!", "-")
        if sign is None:
            return self._member()
        times = 1
        while self._accept(sign.text):
            times += 1
        number = self._peek()
        if sign.text == "-" and number.kind == "number" and times == 1:
            self._take()
            return self._members(self._number(number, negative=True))
        inner = self._member()
        if sign.text == "!" and not inner.kind.fits(BOOL):
            raise self._no_overload(sign.at, "!_", inner.kind)
        if sign.text == "-" and inner.kind.name not in (*_NUMBERS, "dyn"):
            raise self._no_overload(sign.at, "-_", inner.kind)
        change: Callable[[Any], Any] = negated if sign.text == "-" else _not

        def evaluate(scope: Scope) -> Any:
            scope.meter.spend(1)
            value = change(inner.evaluate(scope))
            return value if times % 2 else change(value)

        return self._made(evaluate, BOOL if sign.text == "!" else inner.kind, sign.at, (inner,))

    # --- members and calls ---

    def _member(self) -> Expression:
        return self._members(self._primary())

    def _members(self, value: Expression) -> Expression:
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

    def _index(self, sign: Token, value: Expression) -> Expression:
        at = self._expression()
        self._expect("]")
        if value.kind.name not in ("list", "map", "dyn"):
            raise self._no_overload(sign.at, "_[_]", value.kind, at.kind)
        if not at.kind.fits(INT if value.kind.name == "list" else STRING) and value.kind.name != "dyn":
            raise self._no_overload(sign.at, "_[_]", value.kind, at.kind)

        def evaluate(scope: Scope) -> Any:
            scope.meter.spend(1)
            return index(value.evaluate(scope), at.evaluate(scope))

        kind = value.kind.field_of("")
        return self._made(_typed(evaluate, kind), kind, sign.at, (value, at))

    def _select(self, target: Expression, name: str, at: int) -> Expression:
        if target.kind.name not in ("object", "map", "dyn"):
            raise self._error(at, f"type '{target.kind}' does not support field selection")
        if not target.kind.has_field(name):
            raise self._error(at, f"undefined field '{name}'")

        def evaluate(scope: Scope) -> Any:
            scope.meter.spend(1)
            value = as_mapping(target.evaluate(scope))
            if name not in value:
                raise CelError(f"no such key: {name}")
            return value[name]

        kind = target.kind.field_of(name)
        made = self._made(_typed(evaluate, kind), kind, at, (target,))
        return made._replace(selection=(target, name))

    def _call(self, target: Expression, name: str, at: int) -> Expression:
        if name in _MACROS:
            return self._macro(target, name, at)
        return self._overload(name, METHODS, [target, *self._arguments(")")], at)

    def _overload(
        self, name: str, known: Mapping[str, tuple[Function, ...]], arguments: list[Expression], at: int
    ) -> Expression:
        if name in NOT_HERE:
            raise self._error(at, f"the function '{name}' is not known to the embedded cluster")
        if name not in known:
            raise self._error(at, f"undeclared reference to '{name}' (in container '')")
        kinds = [each.kind for each in arguments]
        function = next((each for each in known[name] if _takes(each, kinds)), None)
        if function is None:
            raise self._no_overload(at, name, *kinds)
        if name == "matches":
            self._check_pattern(arguments[1])
        evaluators = [each.evaluate for each in arguments]

        def evaluate(scope: Scope) -> Any:
            return function.call(scope.meter, *[each(scope) for each in evaluators])

        return self._made(evaluate, function.gives(kinds[0]), at, arguments, extra=_CALL_DEPTH)

    def _check_pattern(self, argument: Expression) -> None:
        """A pattern that is written in the rule must be one."""
        token = self._tokens[self._at - 2]
        if token.kind == "string" and token.at == argument.at:
            try:
                compile_pattern(unquote(token.text))
            except PatternError as error:
                raise self._error(argument.at, "invalid matches argument") from error

    def _macro(self, target: Expression, name: str, at: int) -> Expression:
        if target.kind.name not in ("list", "map", "dyn"):
            raise self._error(target.at, f"expression of type '{target.kind}' cannot be range of a comprehension")
        variable = self._take()
        if variable.kind != "name":
            raise self._error(variable.at, "argument must be a simple name")
        self._expect(",")
        item = STRING if target.kind.name == "map" else target.kind.field_of("")
        shadowed = self._bound.get(variable.text)
        self._bound[variable.text] = item
        body = self._expression()
        if shadowed is None:
            del self._bound[variable.text]
        else:
            self._bound[variable.text] = shadowed
        self._expect(")")
        if name != "map" and not body.kind.fits(BOOL):
            raise self._no_overload(at, name, body.kind)
        kind = {"filter": list_of(item), "map": list_of(body.kind)}.get(name, BOOL)

        def evaluate(scope: Scope) -> Any:
            names, meter = scope
            values = target.evaluate(scope)
            return comprehend(
                name, values, lambda each: body.evaluate(Scope({**names, variable.text: each}, meter)), meter
            )

        return self._made(evaluate, kind, at, (target, body._replace(depth=body.depth + _MACRO_DEPTH)))

    def _arguments(self, end: str) -> list[Expression]:
        arguments: list[Expression] = []
        while not self._accept(end):
            if arguments:
                self._expect(",")
            arguments.append(self._expression())
        return arguments

    # --- primaries ---

    def _primary(self) -> Expression:
        token = self._take()
        if token.kind == "number":
            return self._number(token)
        if token.kind == "string":
            literal = unquote(token.text)
            return Expression(lambda _: literal, STRING, token.at)
        if token.kind == "name":
            return self._name(token)
        if token.text == "(":
            inner = self._expression()
            self._expect(")")
            return inner
        if token.text == "[":
            return self._list(token)
        if token.text == "{":
            return self._map(token)
        raise self._error(token.at, f"Syntax error: extraneous input '{token.text}'")

    def _number(self, token: Token, *, negative: bool = False) -> Expression:
        if not token.text.startswith("0x") and any(sign in token.text for sign in ".eE"):
            double = float(token.text)
            if double == float("inf"):
                raise self._error(token.at, "invalid double literal")
            return Expression(lambda _: -double if negative else double, DOUBLE, token.at)
        # More digits than any number of 64 bits has need not be read.
        number = int(token.text, 0) if len(token.text) <= len("0x") + 19 else 2**63
        number = -number if negative else number
        if not -(2**63) <= number < 2**63:
            raise self._error(token.at, "invalid int literal")
        return Expression(lambda _: number, INT, token.at)

    def _list(self, token: Token) -> Expression:
        items = self._arguments("]")

        def evaluate(scope: Scope) -> Any:
            scope.meter.spend(_LIST_COST + len(items))
            return [each.evaluate(scope) for each in items]

        kind = list_of(_common({each.kind for each in items}))
        return self._made(evaluate, kind, token.at, items, extra=_CALL_DEPTH)

    def _map(self, token: Token) -> Expression:
        entries: list[tuple[Expression, Expression]] = []
        while not self._accept("}"):
            if entries:
                self._expect(",")
            key = self._expression()
            self._expect(":")
            entries.append((key, self._expression()))

        def evaluate(scope: Scope) -> Any:
            scope.meter.spend(_MAP_COST + len(entries))
            made: dict[Any, Any] = {}
            for key, value in entries:
                name = key.evaluate(scope)
                if isinstance(name, list | dict):
                    raise CelError("unsupported key type")
                if name in made:
                    raise CelError(f"Failed with repeated key: {name}")
                made[name] = value.evaluate(scope)
            return made

        kind = map_of(_common({value.kind for _, value in entries}))
        return self._made(evaluate, kind, token.at, [part for entry in entries for part in entry])

    def _name(self, token: Token) -> Expression:
        name = token.text
        if name in _CONSTANTS:
            value, kind = _CONSTANTS[name]
            return Expression(lambda _: value, kind, token.at)
        if bracket := self._accept("("):
            if name == "has":
                return self._has(bracket)
            arguments = self._arguments(")")
            if not arguments:
                raise self._error(bracket.at, f"undeclared reference to '{name}' (in container '')")
            return self._overload(name, FUNCTIONS, arguments, bracket.at)
        if name not in self._bound:
            raise self._error(token.at, f"undeclared reference to '{name}' (in container '')")
        self.names.add(name)

        def evaluate(scope: Scope) -> Any:
            scope.meter.spend(1)
            return scope.names[name]

        kind = self._bound[name]
        return Expression(_typed(evaluate, kind), kind, token.at)

    def _has(self, bracket: Token) -> Expression:
        """``has(target.field)``."""
        argument = self._expression()
        self._expect(")")
        if argument.selection is None:
            raise self._error(argument.at, "invalid argument to has() macro")
        target, field = argument.selection

        def evaluate(scope: Scope) -> bool:
            scope.meter.spend(1)
            return field in as_mapping(target.evaluate(scope))

        return self._made(evaluate, BOOL, bracket.at, (target,))


def _not(value: Any) -> bool:
    return not as_bool(value)


def _common(kinds: set[Kind]) -> Kind:
    return kinds.pop() if len(kinds) == 1 else DYN


def _typed(evaluate: Evaluate, kind: Kind) -> Evaluate:
    """A value that comes from JSON, where doubles may look like integers."""
    if kind.name != "double":
        return evaluate

    def as_double(scope: Scope) -> Any:
        value = evaluate(scope)
        return float(value) if isinstance(value, int) else value

    return as_double


def _takes_operands(sign: str, left: Kind, right: Kind) -> bool:
    match sign:
        case "in":
            if right.name in ("map", "object"):
                return left.fits(STRING)
            return right.name == "dyn" or (right.name == "list" and left.fits(right.field_of("")))
        case "==" | "!=":
            return left.fits(right)
        case "+":
            allowed: tuple[str, ...] = _SUMMANDS
        case "%":
            allowed = ("int",)
        case "-" | "*" | "/":
            allowed = _NUMBERS
        case _:
            kinds = {left.name, right.name} - {"dyn"}
            return kinds <= set(_ORDERED) and (len(kinds) < 2 or kinds == set(_NUMBERS))
    return {left.name, right.name} <= {*allowed, "dyn"} and left.fits(right)


def _takes(function: Function, kinds: list[Kind]) -> bool:
    return len(kinds) == len(function.takes) and all(map(_is_one_of, kinds, function.takes))


def _is_one_of(kind: Kind, wanted: str) -> bool:
    if wanted == "any" or kind.name == "dyn":
        return True
    if wanted == "list of numbers":
        return kind.name == "list" and kind.field_of("").name in (*_NUMBERS, "dyn")
    return kind.name in wanted.split("|")
