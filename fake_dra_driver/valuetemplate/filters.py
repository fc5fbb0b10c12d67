"""What templates for values can do with them: filters, methods, tests, and the account that pays for it.

Each function is given the render's account first, and takes from it what the work costs before it begins, as far as
that is not bounded by the size of what is there already.
"""

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from fake_dra_driver.quantity import QuantityError, number_of
from fake_dra_driver.valuetemplate.text import TemplateError, written

__all__ = ["FILTERS", "METHODS", "TESTS", "Account", "Missing", "bounded", "checked", "formatted"]

MAX_STEPS: Final = 20_000
"""Steps of one render, of which each evaluates a part of the template: a twentieth of a second or so."""
CHARACTERS_PER_STEP: Final = 64
"""How much text costs as much as a step."""
MAX_TEXT: Final = 64 * 1024
"""Characters of a value."""
MAX_QUANTITY: Final = 64
"""Characters of a quantity."""
MAX_WIDTH: Final = 256
"""To which a text is filled up."""
_MAX_BITS: Final = 128
"""Of a whole number. Quantities and 64 bits are within it."""


class Account:
    """What a render may still do."""

    __slots__ = ("_output", "_steps")

    def __init__(self, max_output: int) -> None:
        self._steps = MAX_STEPS
        self._output = max_output

    @property
    def spent(self) -> int:
        """How many steps it was asked for."""
        return MAX_STEPS - self._steps

    def spend(self, steps: int = 1) -> None:
        """Takes this much. Raises TemplateError when there is not enough left."""
        self._steps -= steps
        if self._steps < 0:
            raise TemplateError(f"it takes more than {MAX_STEPS} steps")

    def spend_on(self, value: object) -> None:
        """Takes what a walk through all of a value costs. Raises TemplateError."""
        match value:
            case str():
                self.spend(1 + len(value) // CHARACTERS_PER_STEP)
            case Mapping():
                self.spend()
                for key, inner in value.items():
                    self.spend_on(key)
                    self.spend_on(inner)
            case list() | tuple():
                self.spend()
                for inner in value:
                    self.spend_on(inner)
            case _:
                self.spend()

    def write(self, text: str) -> None:
        """Takes room for text that the template makes. Raises TemplateError."""
        self._output -= len(text)
        if self._output < 0:
            raise TemplateError("it makes too long a text")


class Missing:
    """A variable, or a field of an object, that does not exist."""

    __slots__ = ("is_field", "known", "name")

    def __init__(self, name: str, known: Sequence[str] = (), *, is_field: bool = False) -> None:
        self.name = name
        self.known = known
        self.is_field = is_field

    def error(self) -> TemplateError:
        """What is wrong with asking for its value."""
        if self.is_field:
            return TemplateError(f"there is no {self.name}")
        return TemplateError(f"there is no {self.name}, only {', '.join(self.known)}")


def checked(value: Any) -> Any:
    """The value. Raises TemplateError if there is none."""
    if isinstance(value, Missing):
        raise value.error()
    return value


def bounded(value: Any) -> Any:
    """The result of a computation. Raises TemplateError if it has become too large."""
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise TemplateError(f"a text has more than {MAX_TEXT} characters")
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise TemplateError(f"a number has more than {_MAX_BITS} bits")
    return value


# --- Texts


_DIRECTIVE: Final = re.compile(r"%(?:%|[-+ #0]*(?P<width>[0-9]*)(?:\.(?P<precision>[0-9]*))?[sdioxXeEfFgGc])")


def formatted(account: Account, text: str, values: Any) -> str:
    """``text % values``, as in Python; widths are bounded, and values stand in their order."""
    given = tuple(map(_scalar, values if isinstance(values, tuple) else (values,)))
    rest = _DIRECTIVE.sub("", text)
    if "%" in rest:
        raise TemplateError(f"{text!r} has a % that is no %s, %d, %x, %f or the like")
    widths = [int(size) for found in _DIRECTIVE.finditer(text) for size in found.groups() if size]
    if any(width > MAX_WIDTH for width in widths):
        raise TemplateError(f"{text!r} fills up to more than {MAX_WIDTH} characters")
    account.spend(sum(len(str(value)) for value in given) // CHARACTERS_PER_STEP)
    return str(bounded(text % given))


def _scalar(value: Any) -> str | int | float:
    if isinstance(checked(value), str | int | float):
        return value if not isinstance(value, bool) else written(value)
    raise TemplateError(f"a text or a number is needed, not {_kind(value)}")


def _text(value: Any) -> str:
    return written(checked(value))


def _on_text(change: Callable[..., Any], most: int = 1) -> Callable[..., Any]:
    """A function of a text, and of at most so many more texts, whose result is about as long as they are."""

    def apply(account: Account, value: Any, *others: Any) -> Any:
        if len(others) >= most:
            raise TemplateError("it has more arguments than there are")
        texts = [_text(value), *map(_text, others)]
        for text in texts:
            account.spend_on(text)
        return change(*texts)

    return apply


def _replace(account: Account, value: Any, old: Any, new: Any) -> str:
    text, before, after = _text(value), _text(old), _text(new)
    account.spend_on(text)
    found = text.count(before)
    if len(text) + found * len(after) > MAX_TEXT:
        raise TemplateError(f"a text has more than {MAX_TEXT} characters")
    account.spend(found * len(after) // CHARACTERS_PER_STEP)
    return text.replace(before, after)


def _padded(pad: Callable[[str, int], str]) -> Callable[..., str]:
    def apply(account: Account, value: Any, width: Any) -> str:
        if not isinstance(width, int) or width > MAX_WIDTH:
            raise TemplateError(f"a text can be filled up to {MAX_WIDTH} characters")
        text = _text(value)
        account.spend_on(text)
        return pad(text, width)

    return apply


def _join(account: Account, values: Any, separator: Any = "") -> str:
    between = _text(separator)
    texts = []
    for value in _entries(account, values):
        texts.append(_text(value))
        account.spend((len(texts[-1]) + len(between)) // CHARACTERS_PER_STEP)
    if sum(map(len, texts)) + len(between) * len(texts) > MAX_TEXT:
        raise TemplateError(f"a text has more than {MAX_TEXT} characters")
    return between.join(texts)


def _json(account: Account, value: Any) -> str:
    account.spend_on(checked(value))
    return str(bounded(json.dumps(value, ensure_ascii=False, sort_keys=True, default=dict)))


_LABEL_BREAKS: Final = re.compile("[^a-z0-9]+")


def _dns_label(text: str) -> str:
    """A text as the name of a device has to be: lower case, and ``-`` for what is no letter and no digit."""
    return _LABEL_BREAKS.sub("-", text.lower()).strip("-")


# --- Numbers


def _int(account: Account, value: Any) -> int:
    account.spend()
    if isinstance(checked(value), str) and len(value) > MAX_WIDTH:
        raise TemplateError("that is no number")
    return int(bounded(int(value)))


def _number(account: Account, value: Any) -> int | float:
    account.spend()
    if isinstance(value, int | float):
        return value
    raise TemplateError(f"a number is needed, not {_kind(checked(value))}")


def _quantity(account: Account, value: Any) -> int:
    account.spend()
    text = _text(value)
    if len(text) > MAX_QUANTITY:
        raise TemplateError(f"a quantity has at most {MAX_QUANTITY} characters")
    try:
        return int(bounded(int(number_of(text))))
    except QuantityError:
        raise TemplateError(f"{text!r} is no quantity") from None


# --- Lists and objects


def _entries(account: Account, value: Any) -> Sequence[Any]:
    if isinstance(checked(value), Mapping):
        value = list(value)
    if not isinstance(value, list | tuple):
        raise TemplateError(f"a list is needed, not {_kind(value)}")
    account.spend(len(value))
    return value


def _length(account: Account, value: Any) -> int:
    account.spend()
    if isinstance(checked(value), str | Mapping | list | tuple):
        return len(value)
    raise TemplateError(f"{_kind(value)} has no length")


def _at(place: int) -> Callable[..., Any]:
    def apply(account: Account, value: Any) -> Any:
        entries = _entries(account, value)
        return entries[place] if entries else Missing("entry in the list", is_field=True)

    return apply


def _of_list(change: Callable[[Sequence[Any]], Any]) -> Callable[..., Any]:
    def apply(account: Account, value: Any) -> Any:
        entries = _entries(account, value)
        # They are compared with each other, some times each.
        for _ in range(len(entries).bit_length()):
            account.spend_on(entries)
        return change(list(map(checked, entries)))

    return apply


def _unique(entries: Sequence[Any]) -> list[Any]:
    found = {json.dumps(entry, sort_keys=True, default=dict): entry for entry in reversed(entries)}
    return list(reversed(found.values()))


def _field(value: Any, name: str) -> Any:
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return Missing(part, is_field=True)
        value = value[part]
    return value


def _map(account: Account, values: Any, attribute: Any) -> list[Any]:
    return [_field(value, _text(attribute)) for value in _entries(account, values)]


def _selected(wanted: bool) -> Callable[..., list[Any]]:
    def apply(account: Account, values: Any, attribute: Any, test: Any = "true", *arguments: Any) -> list[Any]:
        name = _text(attribute)
        is_so = TESTS.get(_text(test))
        if is_so is None:
            raise TemplateError(f"there is no test {test}")
        if test == "true":
            return [each for each in _entries(account, values) if _truth(_field(each, name)) is wanted]
        return [each for each in _entries(account, values) if is_so(account, _field(each, name), *arguments) is wanted]

    return apply


def _truth(value: Any) -> bool:
    return not isinstance(value, Missing) and bool(value)


def _default(account: Account, value: Any, instead: Any = "") -> Any:
    account.spend()
    return instead if isinstance(value, Missing) else value


def _get(account: Account, value: Any, key: Any, instead: Any = None) -> Any:
    account.spend()
    return _object(value).get(key, instead)


def _object(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    checked(value)
    raise TemplateError(f"an object is needed, not {_kind(value)}")


def _of_object(look: Callable[[Mapping[str, Any]], list[Any]]) -> Callable[..., list[Any]]:
    def apply(account: Account, value: Any) -> list[Any]:
        found = _object(value)
        account.spend(len(found))
        return look(found)

    return apply


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case Mapping():
            return "an object"
    return "a list"


# --- Tests


def _is(check: Callable[[Any], bool]) -> Callable[..., bool]:
    def apply(account: Account, value: Any) -> bool:
        account.spend()
        return check(checked(value))

    return apply


def _compares(check: Callable[[Any, Any], Any]) -> Callable[..., bool]:
    def apply(account: Account, value: Any, other: Any) -> bool:
        account.spend_on(value)
        account.spend_on(other)
        return not isinstance(value, Missing) and bool(check(value, checked(other)))

    return apply


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": lambda account, value: abs(_number(account, value)),
    "capitalize": _on_text(str.capitalize),
    "center": _padded(str.center),
    "count": _length,
    "d": _default,
    "default": _default,
    "dnsLabel": _on_text(_dns_label),
    "first": _at(0),
    "float": lambda account, value: float(_int(account, value)) if isinstance(value, int) else float(_text(value)),
    "format": lambda account, text, *values: formatted(account, _text(text), values),
    "int": _int,
    "items": _of_object(lambda found: [list(each) for each in found.items()]),
    "join": _join,
    "json": _json,
    "last": _at(-1),
    "length": _length,
    "list": lambda account, value: list(_entries(account, value)),
    "ljust": _padded(str.ljust),
    "lower": _on_text(str.lower),
    "map": _map,
    "max": _of_list(max),
    "min": _of_list(min),
    "number": _quantity,
    "rejectattr": _selected(False),
    "replace": _replace,
    "reverse": _of_list(lambda found: list(reversed(found))),
    "rjust": _padded(str.rjust),
    "round": lambda account, value: round(_number(account, value)),
    "selectattr": _selected(True),
    "sort": _of_list(sorted),
    "string": _on_text(str),
    "sum": lambda account, values: bounded(sum(_number(account, value) for value in _entries(account, values))),
    "title": _on_text(str.title),
    "tojson": _json,
    "trim": _on_text(str.strip),
    "unique": _of_list(_unique),
    "upper": _on_text(str.upper),
}
"""By name, as in Jinja; not there: ``items`` of an object, ``json``, ``ljust``, ``rjust``, ``number`` for a quantity,
and ``dnsLabel``."""
METHODS: Final[Mapping[str, Callable[..., Any]]] = {
    "center": _padded(str.center),
    "endswith": _on_text(str.endswith, 2),
    "get": _get,
    "items": FILTERS["items"],
    "keys": _of_object(list),
    "ljust": _padded(str.ljust),
    "lower": _on_text(str.lower),
    "removeprefix": _on_text(str.removeprefix, 2),
    "removesuffix": _on_text(str.removesuffix, 2),
    "replace": _replace,
    "rjust": _padded(str.rjust),
    "split": _on_text(str.split, 2),
    "startswith": _on_text(str.startswith, 2),
    "strip": _on_text(str.strip, 2),
    "title": _on_text(str.title),
    "upper": _on_text(str.upper),
    "values": _of_object(lambda found: list(found.values())),
    "zfill": _padded(str.zfill),
}
"""By name, as in Python: of texts and objects."""
TESTS: Final[Mapping[str, Callable[..., bool]]] = {
    "boolean": _is(lambda value: isinstance(value, bool)),
    "defined": lambda _account, value: not isinstance(value, Missing),
    "divisibleby": lambda account, value, by: _number(account, value) % _number(account, by) == 0,
    "==": _compares(operator.eq),
    "equalto": _compares(operator.eq),
    "even": lambda account, value: _number(account, value) % 2 == 0,
    "false": _is(lambda value: value is False),
    "in": _compares(lambda value, other: value in other),
    "mapping": _is(lambda value: isinstance(value, Mapping)),
    "none": _is(lambda value: value is None),
    "number": _is(_is_number),
    "odd": lambda account, value: _number(account, value) % 2 == 1,
    "sequence": _is(lambda value: isinstance(value, list | tuple | str)),
    "string": _is(lambda value: isinstance(value, str)),
    "true": _is(lambda value: value is True),
    "undefined": lambda _account, value: isinstance(value, Missing),
}
"""By name, as in Jinja."""
