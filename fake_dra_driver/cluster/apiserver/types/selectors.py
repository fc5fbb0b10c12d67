"""Label and field selectors, with the messages of a real API server for what cannot be parsed.

Follows k8s.io/apimachinery/pkg/labels and pkg/fields.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    bad_request,
    forbidden,
    go_value,
    invalid_value,
    required,
)
from fake_dra_driver.cluster.apiserver.types.metadata import label_value, qualified_name, validate_labels

__all__ = ["FieldSelector", "LabelSelector", "label_selector_problems", "label_selector_text", "match_label_selector"]

_TOKEN = re.compile(r"\s*(!=|==|=|!|<|>|\(|\)|,|[^\s=!<>(),]+)")
_OPERATORS = {"=": "in", "==": "in", "in": "in", "!=": "notin", "notin": "notin", "<": "lt", ">": "gt"}
_LabelTest = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """The requirements of a ``labelSelector`` parameter; all of them must hold."""

    tests: tuple[_LabelTest, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "LabelSelector":
        """Reads a selector. Raises StatusError (400)."""
        return cls(tuple(_LabelParser(text).parse())) if text.strip() else cls()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are selected."""
        return all(test(labels) for test in self.tests)


class _LabelParser:
    """Recursive descent over the tokens of one selector."""

    def __init__(self, text: str) -> None:
        self._tokens = [found[1] for found in _TOKEN.finditer(text)]
        self._at = 0

    def parse(self) -> list[_LabelTest]:
        tests = [self._requirement()]
        while self._at < len(self._tokens):
            separator = self._take()
            if separator != ",":
                raise _unreadable(f"found '{separator}', expected: ',' or 'end of string'")
            tests.append(self._requirement())
        return tests

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _requirement(self) -> _LabelTest:
        negated = self._peek() == "!"
        if negated:
            self._take()
        key = self._take()
        if not key or _TOKEN.fullmatch(key) is None or key in "=!<>(),":
            raise _unreadable(f"found '{key}', expected: !, identifier, or 'end of string'")
        if problems := qualified_name(key):
            raise bad_request(f'key: Invalid value: "{key}": {"; ".join(problems)}')
        if negated:
            return lambda labels: key not in labels
        if self._peek() in ("", ","):
            return lambda labels: key in labels
        sign = self._take()
        if sign not in _OPERATORS:
            raise _unreadable(f"found '{sign}', expected: in, notin, =, ==, !=, gt, lt")
        return self._comparison(key, sign)

    def _comparison(self, key: str, sign: str) -> _LabelTest:
        kind = _OPERATORS[sign]
        values = self._set() if sign in ("in", "notin") else [self._value()]
        for at, value in enumerate(values):
            if problems := label_value(value):
                raise bad_request(f'values[{at}][{key}]: Invalid value: "{value}": {"; ".join(problems)}')
        if kind == "in":
            wanted = frozenset(values)
            return lambda labels: labels.get(key) in wanted
        if kind == "notin":
            unwanted = frozenset(values)
            return lambda labels: labels.get(key) not in unwanted
        if _as_int64(values[0]) is None:
            raise bad_request(
                f"values[0][{key}]: Invalid value: \"{values[0]}\": for 'Gt', 'Lt' operators, the value must be an "
                "integer"
            )
        bound = int(values[0])
        return lambda labels: _is_beyond(labels.get(key), bound, kind)

    def _value(self) -> str:
        return "" if self._peek() in ("", ",") else self._take()

    def _set(self) -> list[str]:
        if self._take() != "(":
            raise _unreadable(
                f"found '{self._tokens[self._at - 1] if self._at <= len(self._tokens) else ''}', expected: '('"
            )
        values = [""] if self._peek() in (",", ")") else [self._take()]
        while (separator := self._take()) != ")":
            if separator != ",":
                raise _unreadable(f"found '{separator}', expected: ',' or ')'")
            values.append("" if self._peek() in (",", ")") else self._take())
        return values


def _is_beyond(value: str | None, bound: int, kind: str) -> bool:
    number = _as_int64(value or "")
    if number is None:
        return False
    return number < bound if kind == "lt" else number > bound


def _as_int64(text: str) -> int | None:
    """The number that a text stands for, as strconv.ParseInt reads it."""
    if not re.fullmatch(r"[+-]?[0-9]{1,63}", text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def _unreadable(problem: str) -> Exception:
    return bad_request(f"unable to parse requirement: {problem}")


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """What a ``fieldSelector`` parameter asks for: pairs of path and value, wanted or unwanted."""

    terms: tuple[tuple[str, str, bool], ...] = ()

    @classmethod
    def parse(cls, text: str, stored_names: Mapping[str, str] | None = None) -> "FieldSelector":
        """Reads a selector. Raises StatusError (400).

        Args:
            text: the selector.
            stored_names: fields that are stored under another name.
        """
        terms = []
        for term in re.split(r"(?<!\\),", text):
            if not term:
                continue
            found = re.fullmatch(r"(.*?)(!=|==|=)(.*)", term, re.DOTALL)
            if found is None:
                raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
            first, dot, rest = found[1].partition(".")
            path = (stored_names or {}).get(first, first) + dot + rest
            terms.append((path, re.sub(r"\\(.)", r"\1", found[3]), found[2] != "!="))
        return cls(tuple(terms))

    @property
    def paths(self) -> Sequence[str]:
        """The fields that it names."""
        return [path for path, _, _ in self.terms]

    def matches(self, value_of: Callable[[str], str]) -> bool:
        """Whether an object, given as a function from paths to values, is selected."""
        return all((value_of(path) == value) is wanted for path, value, wanted in self.terms)


def label_selector_problems(selector: Mapping[str, Any], path: str) -> list[Problem]:
    """What is wrong with a metav1.LabelSelector (ValidateLabelSelector)."""
    problems = validate_labels(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for at, each in enumerate(selector.get("matchExpressions") or ()):
        inner, operator, values = f"{path}.matchExpressions[{at}]", each.get("operator"), each.get("values") or ()
        if operator in ("In", "NotIn"):
            if not values:
                detail = "must be specified when `operator` is 'In' or 'NotIn'"
                problems.append(required(f"{inner}.values", detail))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                problems.append(forbidden(f"{inner}.values", detail))
        else:
            value = go_value(operator or "")
            problems.append(invalid_value(f"{inner}.operator", value, "not a valid selector operator"))
        key = each.get("key", "")
        problems += [invalid_value(f"{inner}.key", go_value(key), detail) for detail in qualified_name(key)]
        for index, text in enumerate(values):
            field = f"{inner}.values[{index}]"
            problems += [invalid_value(field, go_value(text), detail) for detail in label_value(text)]
    return problems


def match_label_selector(selector: Mapping[str, object], labels: Mapping[str, str]) -> bool:
    """Whether a metav1.LabelSelector, as a Deployment has one, selects these labels."""
    wanted = selector.get("matchLabels")
    if isinstance(wanted, Mapping) and any(labels.get(key) != value for key, value in wanted.items()):
        return False
    expressions = selector.get("matchExpressions")
    for each in expressions if isinstance(expressions, Sequence) else ():
        value, values = labels.get(each["key"]), each.get("values") or ()
        holds = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[each["operator"]]
        if not holds:
            return False
    return True


def label_selector_text(selector: Mapping[str, Any] | None) -> str:
    """A metav1.LabelSelector as a ``labelSelector`` parameter, in the order of its keys."""
    found = selector or {}
    parts = [(key, f"{key}={value}") for key, value in (found.get("matchLabels") or {}).items()]
    for each in found.get("matchExpressions") or ():
        key, values = each["key"], ",".join(sorted(each.get("values") or ()))
        sign = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "DoesNotExist": f"!{key}"}
        parts.append((key, sign.get(each["operator"], key)))
    return ",".join(text for _, text in sorted(parts, key=lambda part: part[0]))
