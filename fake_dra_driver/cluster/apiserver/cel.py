"""The rules of x-kubernetes-validations: a subset of CEL, small enough to read, refused loudly where it ends.

Written here because the CEL libraries on PyPI either lack what Kubernetes adds or bring a parser generator, and because
the rules of a CRD are few and short. What there is:

- literals (int, double, string, bool, null, list, map), ``self``, ``oldSelf``, fields, indexes
- ``! - * / % + - == != < <= > >= in && || ?:``
- ``has(x.y)``, ``size(x)``, ``int() double() string()``; ``x.size()``, ``s.startsWith(t)``, ``s.endsWith(t)``,
  ``s.contains(t)``, ``s.matches(re)``, ``s.lowerAscii()``, ``s.upperAscii()``
- ``x.all(e, p)``, ``x.exists(e, p)``, ``x.exists_one(e, p)``, ``x.filter(e, p)``, ``x.map(e, f)``

Anything else is a ``CelSyntaxError`` when the CRD is created. Not done: the cost limits of a real API server.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["CelError", "CelSyntaxError", "Program", "compile_rule"]


class CelSyntaxError(ValueError):
    """The rule is no CEL, or CEL that is not known here."""


class CelError(ValueError):
    """The rule cannot be evaluated on this value, such as when a field is not there."""


_Scope = Mapping[str, Any]
_Evaluate = Callable[[_Scope], Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+\.\d+(?:[eE][+-]?\d+)?|0x[0-9a-fA-F]+|\d+)(?P<unsigned>u?)
    |(?P<string>r?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))
    |(?P<name>[A-Za-z_]\w*)
    |(?P<operator>\|\||&&|==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}]))""",
    re.VERBOSE,
)
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">", "in")
_MACROS = ("all", "exists", "exists_one", "filter", "map")
_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {"size": lambda v: _size(v), "string": lambda v: _text(v)}
_METHODS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "size": (0, lambda v: _size(v)),
    "startsWith": (1, lambda v, t: _string(v).startswith(_string(t))),
    "endsWith": (1, lambda v, t: _string(v).endswith(_string(t))),
    "contains": (1, lambda v, t: _string(t) in _string(v)),
    "matches": (1, lambda v, t: re.search(_string(t), _string(v)) is not None),
    "lowerAscii": (0, lambda v: _string(v).lower()),
    "upperAscii": (0, lambda v: _string(v).upper()),
}


@dataclass(frozen=True, slots=True)
class Program:
    """A rule that can be asked."""

    source: str
    uses_old_self: bool
    """A transition rule: it is asked on updates only, where there is an old value."""
    _evaluate: _Evaluate

    def holds(self, value: Any, old: Any = None) -> bool:
        """Whether the rule holds. Raises CelError when it cannot be evaluated."""
        try:
            result = self._evaluate({"self": value, "oldSelf": old})
        except (TypeError, ZeroDivisionError, re.error, OverflowError) as error:
            raise CelError(str(error)) from error
        if not isinstance(result, bool):
            raise CelError(f"rule gives {result!r}, not a bool")
        return result


def compile_rule(source: str) -> Program:
    """Reads a rule. Raises CelSyntaxError."""
    parser = _Parser(source)
    evaluate = parser.whole()
    return Program(source, "oldSelf" in parser.names, evaluate)


class _Parser:
    """Recursive descent; each method reads one level of precedence and gives a function of the variables."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = list(_tokens(source))
        self._at = 0
        self._bound: list[str] = ["self", "oldSelf"]
        self.names: set[str] = set()

    def whole(self) -> _Evaluate:
        result = self._ternary()
        if self._peek():
            raise self._error(f"unexpected {self._peek()!r}")
        return result

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise self._error("unexpected end")
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _accept(self, *texts: str) -> str:
        is_string = self._at < len(self._tokens) and self._tokens[self._at][0] == "string"
        return self._take()[1] if self._peek() in texts and self._peek() and not is_string else ""

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._error(f"expected {text!r}, found {self._peek()!r}")

    def _error(self, problem: str) -> CelSyntaxError:
        return CelSyntaxError(f"{self._source!r}: {problem}")

    def _ternary(self) -> _Evaluate:
        condition = self._or()
        if not self._accept("?"):
            return condition
        yes = self._or()
        self._expect(":")
        no = self._ternary()
        return lambda scope: yes(scope) if _bool(condition(scope)) else no(scope)

    def _or(self) -> _Evaluate:
        left = self._and()
        while self._accept("||"):
            left = _either(left, self._and(), decides=True)
        return left

    def _and(self) -> _Evaluate:
        left = self._comparison()
        while self._accept("&&"):
            left = _either(left, self._comparison(), decides=False)
        return left

    def _comparison(self) -> _Evaluate:
        left = self._sum()
        while sign := self._accept(*_COMPARISONS):
            left = _binary(sign, left, self._sum())
        return left

    def _sum(self) -> _Evaluate:
        left = self._product()
        while sign := self._accept("+", "-"):
            left = _binary(sign, left, self._product())
        return left

    def _product(self) -> _Evaluate:
        left = self._unary()
        while sign := self._accept("*", "/", "%"):
            left = _binary(sign, left, self._unary())
        return left

    def _unary(self) -> _Evaluate:
        if self._accept("!"):
            inner = self._unary()
            return lambda scope: not _bool(inner(scope))
        if self._accept("-"):
            negated = self._unary()
            return lambda scope: -_number(negated(scope))
        return self._member()

    def _member(self) -> _Evaluate:
        value = self._primary()
        while sign := self._accept(".", "["):
            if sign == "[":
                value = _index(value, self._ternary())
                self._expect("]")
                continue
            kind, name = self._take()
            if kind != "name":
                raise self._error(f"expected a name after '.', found {name!r}")
            value = self._call(value, name) if self._accept("(") else _select(value, name)
        return value

    def _call(self, target: _Evaluate, name: str) -> _Evaluate:
        if name in _MACROS:
            return self._macro(target, name)
        if name not in _METHODS:
            raise self._error(f"the function {name!r} is not known here")
        count, function = _METHODS[name]
        arguments = self._arguments(")")
        if len(arguments) != count:
            raise self._error(f"{name} takes {count} argument(s)")
        return lambda scope: function(target(scope), *(each(scope) for each in arguments))

    def _macro(self, target: _Evaluate, name: str) -> _Evaluate:
        kind, variable = self._take()
        if kind != "name":
            raise self._error(f"{name} takes a variable and an expression")
        self._expect(",")
        self._bound.append(variable)
        body = self._ternary()
        self._bound.pop()
        self._expect(")")
        return lambda scope: _comprehend(name, target(scope), lambda each: body({**scope, variable: each}))

    def _arguments(self, end: str) -> list[_Evaluate]:
        arguments: list[_Evaluate] = []
        while not self._accept(end):
            if arguments:
                self._expect(",")
            arguments.append(self._ternary())
        return arguments

    def _primary(self) -> _Evaluate:
        kind, text = self._take()
        if kind == "number":
            number: Any = float(text) if "." in text else int(text, 0)
            return lambda _: number
        if kind == "string":
            literal = _unquote(text)
            return lambda _: literal
        if kind == "name":
            return self._name(text)
        if text == "(":
            inner = self._ternary()
            self._expect(")")
            return inner
        if text == "[":
            items = self._arguments("]")
            return lambda scope: [each(scope) for each in items]
        if text == "{":
            return self._map()
        raise self._error(f"unexpected {text!r}")

    def _map(self) -> _Evaluate:
        entries: list[tuple[_Evaluate, _Evaluate]] = []
        while not self._accept("}"):
            if entries:
                self._expect(",")
            key = self._ternary()
            self._expect(":")
            entries.append((key, self._ternary()))
        return lambda scope: {key(scope): value(scope) for key, value in entries}

    def _name(self, name: str) -> _Evaluate:
        constants = {"true": True, "false": False, "null": None}
        if name in constants:
            return lambda _: constants[name]
        if self._accept("("):
            return self._function(name)
        if name not in self._bound:
            raise self._error(f"undeclared reference to {name!r}")
        self.names.add(name)
        return lambda scope: scope[name]

    def _function(self, name: str) -> _Evaluate:
        if name == "has":
            return self._has()
        arguments = self._arguments(")")
        if name in ("int", "double"):
            convert: Callable[[Any], Any] = _to_int if name == "int" else _to_double
        elif name in _FUNCTIONS:
            convert = _FUNCTIONS[name]
        else:
            raise self._error(f"the function {name!r} is not known here")
        if len(arguments) != 1:
            raise self._error(f"{name} takes one argument")
        argument = arguments[0]
        return lambda scope: convert(argument(scope))

    def _has(self) -> _Evaluate:
        start = self._at
        self._ternary()
        self._expect(")")
        end = self._at
        path = self._tokens[start : end - 1]
        if len(path) < 3 or path[-2][1] != "." or path[-1][0] != "name":
            raise self._error("has() takes a field, such as has(self.x)")
        self._at, tokens = start, self._tokens
        self._tokens = tokens[: end - 3]
        target = self._member()
        self._tokens, self._at = tokens, end
        name = path[-1][1]
        return lambda scope: name in _mapping(target(scope))


def _tokens(source: str) -> Sequence[tuple[str, str]]:
    result, at, text = [], 0, source.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise CelSyntaxError(f"{source!r}: unexpected {text[at:].strip()[:1]!r}")
        kind = str(found.lastgroup if found.lastgroup != "unsigned" else "number")
        result.append((kind, found[kind]))
        at = found.end()
    return result


def _unquote(text: str) -> str:
    if text.startswith("r"):
        return text[2:-1]
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda found: escapes.get(found[1], found[1]), text[1:-1])


def _either(left: _Evaluate, right: _Evaluate, *, decides: bool) -> _Evaluate:
    """``||`` (decides on true) and ``&&`` (on false): an error on one side does not matter if the other decides."""

    def evaluate(scope: _Scope) -> bool:
        try:
            first = _bool(left(scope))
        except CelError:
            if _bool(right(scope)) is decides:
                return decides
            raise
        return decides if first is decides else _bool(right(scope))

    return evaluate


def _binary(sign: str, left: _Evaluate, right: _Evaluate) -> _Evaluate:
    return lambda scope: _OPERATORS[sign](left(scope), right(scope))


def _equal(left: Any, right: Any) -> bool:
    same_kind = isinstance(left, bool) == isinstance(right, bool)
    return same_kind and bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def evaluate(left: Any, right: Any) -> bool:
        if isinstance(left, str) != isinstance(right, str):
            raise CelError(f"no such overload: {left!r} compared with {right!r}")
        return compare(left, right)

    return evaluate


def _divide(left: Any, right: Any) -> Any:
    if right == 0 and isinstance(right, int):
        raise CelError("divide by zero")
    if isinstance(left, float) or isinstance(right, float):
        return left / right
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _add(left: Any, right: Any) -> Any:
    if type(left) is not type(right):
        raise CelError(f"no such overload: {left!r} + {right!r}")
    return left + right


_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "in": lambda left, right: left in right,
    "+": _add,
    "-": lambda left, right: _number(left) - _number(right),
    "*": lambda left, right: _number(left) * _number(right),
    "/": lambda left, right: _divide(_number(left), _number(right)),
    "%": lambda left, right: left - right * _divide(_number(left), _number(right)),
}


def _select(target: _Evaluate, name: str) -> _Evaluate:
    def evaluate(scope: _Scope) -> Any:
        value = _mapping(target(scope))
        if name not in value:
            raise CelError(f"no such key: {name}")
        return value[name]

    return evaluate


def _index(target: _Evaluate, index: _Evaluate) -> _Evaluate:
    def evaluate(scope: _Scope) -> Any:
        value, at = target(scope), index(scope)
        try:
            if isinstance(value, list) and at < 0:
                raise IndexError(at)
            return value[at]
        except (LookupError, TypeError) as error:
            raise CelError(f"no such key: {at}") from error

    return evaluate


def _comprehend(name: str, values: Any, body: Callable[[Any], Any]) -> Any:
    items = list(values)
    match name:
        case "all":
            return all(_bool(body(each)) for each in items)
        case "exists":
            return any(_bool(body(each)) for each in items)
        case "exists_one":
            return sum(_bool(body(each)) for each in items) == 1
        case "filter":
            return [each for each in items if _bool(body(each))]
        case _:
            return [body(each) for each in items]


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise CelError(f"{value!r} is not a bool")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CelError(f"{value!r} is not a number")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise CelError(f"{value!r} is not a string")
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise CelError(f"{value!r} has no fields")
    return value


def _size(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise CelError(f"{value!r} has no size")
    return len(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _to_int(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise CelError(f"{value!r} is not an int") from error


def _to_double(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise CelError(f"{value!r} is not a double") from error
