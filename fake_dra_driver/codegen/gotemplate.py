"""Go templates, as much of them as a chart like ours uses: its manifests without helm.

A chart stays the one source of its manifests: where there is no helm (the embedded cluster), its templates are executed
here. ``tests/unit/packaging/test_manifests.py`` compares the result with helm's. Syntax and meaning are those
of Go's text/template and of the functions that Helm adds (Sprig). What is outside of the subset is refused by name,
never ignored: a template that is rendered at all is rendered as helm does it. Packages that bind Go's own engine to
Python lack Helm's functions, and need a Go toolchain or a binary for each platform.
"""

import base64
import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

__all__ = ["GoTemplateError", "GoTemplates"]

_ACTION = re.compile(r"\{\{(-(?=\s))?(.*?)((?<=\s)-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s+ | (?P<string>"(?:[^"\\]|\\.)*") | (?P<number>-?\d+(?:\.\d+)?) | (?P<path>\$?\w*(?:\.\w+)+|\$\w*|\.)"""
    r"""| (?P<word>\w+) | (?P<mark>:=|[|()])""",
    re.VERBOSE,
)
_RANGE_OF_RELEASES = re.compile(r"(>=|<)(\d+)\.(\d+)-0")
_RELEASE = re.compile(r"v?(\d+)\.(\d+)(\.|$)")
_MAX_DEPTH = 50
"""How deep templates may include each other, so that a loop ends with a message."""


class GoTemplateError(Exception):
    """A template cannot be parsed or executed, or says so itself through ``fail``."""


Variables = dict[str, Any]


# --- Syntax ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Output:
    pipeline: "_Pipeline"
    variable: str = ""
    """The variable to set instead of writing the value."""


@dataclass(frozen=True, slots=True)
class _Branch:
    """``if`` or ``with``."""

    pipeline: "_Pipeline"
    moves_dot: bool
    then: "list[_Node]"
    otherwise: "list[_Node]"


@dataclass(frozen=True, slots=True)
class _Range:
    """``range`` over a list, which moves the dot."""

    pipeline: "_Pipeline"
    body: "list[_Node]"


@dataclass(frozen=True, slots=True)
class _Literal:
    value: Any


@dataclass(frozen=True, slots=True)
class _Path:
    """``.a.b``, ``$``, ``$x.a``; ``start`` is empty for the dot."""

    start: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Function:
    name: str


@dataclass(frozen=True, slots=True)
class _Pipeline:
    commands: tuple[tuple[Any, ...], ...]
    """Each a function or method with its arguments, or one operand."""


_Node = _Text | _Output | _Branch | _Range


class _Parser:
    """Turns the text of a template into nodes, and collects what it defines."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._parts = list(_parts(text))
        self._position = 0
        self.defined: dict[str, list[_Node]] = {}

    def parse(self) -> list[_Node]:
        nodes, ending = self._nodes()
        if ending:
            raise GoTemplateError(f"{self._name}: {ending!r} without a beginning")
        return nodes

    def _nodes(self) -> tuple[list[_Node], str]:
        """Nodes up to an ``end`` or ``else`` of an enclosing block, and that action; empty at the end of the text."""
        nodes: list[_Node] = []
        while self._position < len(self._parts):
            kind, content = self._parts[self._position]
            self._position += 1
            if kind == "text":
                nodes.append(_Text(content))
                continue
            keyword, _, rest = content.partition(" ")
            if keyword in {"end", "else"}:
                return nodes, content
            if keyword == "define":
                self.defined[str(json.loads(rest))] = self._block(keyword)[0]
            elif keyword in {"if", "with"}:
                nodes.append(self._branch(keyword, rest))
            elif keyword == "range":
                nodes.append(self._range(rest))
            elif keyword in {"block", "template", "break", "continue"}:
                raise GoTemplateError(f"{self._name}: {keyword!r} is outside of the subset that is executed here")
            else:
                nodes.append(self._output(content))
        return nodes, ""

    def _branch(self, keyword: str, condition: str) -> _Branch:
        then, ending = self._block(keyword)
        otherwise: list[_Node] = []
        if ending.startswith("else if "):
            otherwise = [self._branch("if", ending.removeprefix("else if "))]
        elif ending == "else":
            otherwise, ending = self._block(keyword)
        return _Branch(self._pipeline(condition), keyword == "with", then, otherwise)

    def _range(self, values: str) -> _Range:
        body, ending = self._block("range")
        if ending != "end" or ":=" in values:
            raise GoTemplateError(f"{self._name}: 'range' with 'else' or variables is outside of the subset")
        return _Range(self._pipeline(values), body)

    def _block(self, keyword: str) -> tuple[list[_Node], str]:
        nodes, ending = self._nodes()
        if not ending:
            raise GoTemplateError(f"{self._name}: {keyword!r} without an end")
        return nodes, ending

    def _output(self, content: str) -> _Output:
        variable, assignment, rest = content.partition(":=")
        if assignment:
            return _Output(self._pipeline(rest), variable.strip())
        return _Output(self._pipeline(content))

    def _pipeline(self, text: str) -> _Pipeline:
        tokens = list(self._tokens(text))
        pipeline, rest = self._commands(tokens)
        if rest:
            raise GoTemplateError(f"{self._name}: {text!r} has a parenthesis too many")
        return pipeline

    def _tokens(self, text: str) -> Iterator[tuple[str, str]]:
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or match.end() == position:
                raise GoTemplateError(f"{self._name}: cannot read {text[position:]!r} in {text!r}")
            position = match.end()
            if match.lastgroup:
                yield match.lastgroup, match[match.lastgroup]

    def _commands(self, tokens: Sequence[tuple[str, str]]) -> tuple[_Pipeline, Sequence[tuple[str, str]]]:
        commands: list[tuple[Any, ...]] = []
        operands: list[Any] = []
        while tokens and tokens[0][1] != ")":
            (kind, text), tokens = tokens[0], tokens[1:]
            if text == "|" and kind == "mark":
                commands.append(tuple(operands))
                operands = []
            elif text == "(" and kind == "mark":
                inner, tokens = self._commands(tokens)
                operands.append(inner)
                if not tokens:
                    raise GoTemplateError(f"{self._name}: a parenthesis is not closed")
                tokens = tokens[1:]
            else:
                operands.append(_operand(kind, text))
        commands.append(tuple(operands))
        if not all(commands):
            raise GoTemplateError(f"{self._name}: an empty command in a pipeline")
        return _Pipeline(tuple(commands)), tokens


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Text and actions in turn, comments left out, and white space beside ``{{-`` and ``-}}``."""
    position, trim = 0, False
    for match in _ACTION.finditer(text):
        before = text[position : match.start()]
        before = before.lstrip() if trim else before
        yield "text", before.rstrip() if match[1] else before
        content = match[2].strip()
        if not content.startswith("/*"):
            yield "action", content
        position, trim = match.end(), bool(match[3])
    yield "text", text[position:].lstrip() if trim else text[position:]


def _operand(kind: str, text: str) -> Any:
    match kind:
        case "string":
            return _Literal(json.loads(text))
        case "number":
            return _Literal(float(text) if "." in text else int(text))
        case "path":
            start, *keys = text.split(".")
            return _Path(start, tuple(key for key in keys if key))
        case _:
            return _Literal(text == "true") if text in {"true", "false"} else _Function(text)


# --- Execution ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class GoTemplates:
    """A set of templates that may include each other."""

    templates: dict[str, list[_Node]] = field(default_factory=dict)

    def add(self, name: str, text: str) -> None:
        """Takes a file in, under its name, with everything that it defines. Raises GoTemplateError."""
        parser = _Parser(name, text)
        self.templates[name] = parser.parse()
        self.templates.update(parser.defined)

    def execute(self, name: str, dot: Any) -> str:
        """What a template writes when it is given ``dot``. Raises GoTemplateError."""
        return _Execution(self.templates, name).run(name, dot)


class _Execution:
    def __init__(self, templates: Mapping[str, list[_Node]], name: str) -> None:
        self._templates = templates
        self._name = name
        self._depth = 0

    def run(self, name: str, dot: Any) -> str:
        """``include``: the text of a template."""
        if name not in self._templates:
            raise self._error(f"there is no template {name!r}")
        if self._depth == _MAX_DEPTH:
            raise self._error(f"{name!r} includes itself")
        self._depth += 1
        text = "".join(self._write(self._templates[name], dot, {"$": dot}))
        self._depth -= 1
        return text

    def _write(self, nodes: Sequence[_Node], dot: Any, variables: Variables) -> Iterator[str]:
        for node in nodes:
            match node:
                case _Text(text):
                    yield text
                case _Output(pipeline, variable) if variable:
                    variables[variable] = self._evaluate(pipeline, dot, variables)
                case _Output(pipeline):
                    yield _text(self._evaluate(pipeline, dot, variables))
                case _Branch(pipeline, moves_dot, then, otherwise):
                    value = self._evaluate(pipeline, dot, variables)
                    branch = then if value else otherwise
                    yield from self._write(branch, value if moves_dot and value else dot, dict(variables))
                case _Range(pipeline, body):
                    for value in self._evaluate(pipeline, dot, variables) or ():
                        yield from self._write(body, value, dict(variables))

    def _evaluate(self, pipeline: _Pipeline, dot: Any, variables: Variables) -> Any:
        value: tuple[Any, ...] = ()
        for command in pipeline.commands:
            value = (self._command(command, value, dot, variables),)
        return value[0]

    def _command(self, command: tuple[Any, ...], piped: tuple[Any, ...], dot: Any, variables: Variables) -> Any:
        head, *operands = command
        if isinstance(head, _Function):
            function = self._function(head.name)
        else:
            function = self._operand(head, dot, variables)
            if not operands and not piped:
                return function
        arguments = [self._operand(operand, dot, variables) for operand in operands]
        if not callable(function):
            raise self._error(f"{function!r} is no function, and got arguments")
        try:
            return function(*arguments, *piped)
        except (TypeError, ValueError, AttributeError) as error:
            raise self._error(f"{head}: {error}") from error

    def _operand(self, operand: Any, dot: Any, variables: Variables) -> Any:
        match operand:
            case _Literal(value):
                return value
            case _Pipeline():
                return self._evaluate(operand, dot, variables)
            case _Function(name):
                return self._function(name)()
            case _Path(start, keys):
                if start and start not in variables:
                    raise self._error(f"the variable {start} is not set")
                return self._look_up(variables[start] if start else dot, keys)
            case _:
                raise self._error(f"cannot evaluate {operand!r}")

    def _look_up(self, value: Any, keys: Sequence[str]) -> Any:
        """A path of keys. As in Go, a key that is missing has no value, and a key of no value is an error."""
        for key in keys:
            if not isinstance(value, Mapping):
                raise self._error(f"{value!r} has no {key!r}")
            value = value.get(key)
        return value

    def _function(self, name: str) -> Callable[..., Any]:
        if name == "include":
            return self.run
        if name not in _FUNCTIONS:
            raise self._error(f"the function {name!r} is outside of the subset that is executed here")
        return _FUNCTIONS[name]

    def _error(self, reason: str) -> GoTemplateError:
        return GoTemplateError(f"{self._name}: {reason}")


# --- Functions: those of text/template and of Sprig, by their names there ------------------------------------------


def _text(value: Any) -> str:
    """``%v`` of a value as it is after JSON: floats of Go print without a fraction if they have none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (str, int, float)):
        return str(value)
    raise GoTemplateError(f"{value!r} cannot be written as text")


def _printf(template: str, *values: Any) -> str:
    return template.replace("%v", "%s") % tuple(value if type(value) is int else _text(value) for value in values)


def _regex_replace_all(pattern: str, text: str, replacement: str) -> str:
    return re.sub(pattern, re.sub(r"\$\{(\d+)\}", r"\\g<\1>", replacement), text)


def _to_yaml(value: Any) -> str:
    return str(yaml.safe_dump(value, default_flow_style=False, allow_unicode=True, width=10**6)).removesuffix("\n")


def _nindent(count: int, text: str) -> str:
    return "\n" + "\n".join(" " * count + line for line in text.split("\n"))


def _dict(*items: Any) -> dict[str, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _merge(target: Mapping[str, Any], *others: Mapping[str, Any]) -> dict[str, Any]:
    """The first that has a key wins, unless its value is empty; maps are merged in turn."""
    merged = dict(target)
    for other in others:
        for key, value in other.items():
            there = merged.get(key)
            if isinstance(there, Mapping) and isinstance(value, Mapping):
                merged[key] = _merge(there, value)
            elif not there:
                merged[key] = value
    return merged


def _semver_compare(constraint: str, version: str) -> bool:
    """Takes ``>=1.34-0`` and ``<1.34-0``, which compare minor releases and count pre-releases among them."""
    wanted, found = _RANGE_OF_RELEASES.fullmatch(constraint), _RELEASE.match(version)
    if wanted is None or found is None:
        raise ValueError(f"{constraint!r} of {version!r} is outside of the subset that is executed here")
    is_later = (int(found[1]), int(found[2])) >= (int(wanted[2]), int(wanted[3]))
    return is_later == (wanted[1] == ">=")


def _and(*values: Any) -> Any:
    return next((value for value in values if not value), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if value), values[-1])


def _kind_is(kind: str, value: Any) -> bool:
    if kind != "string":
        raise ValueError(f"the kind {kind!r} is outside of the subset that is executed here")
    return isinstance(value, str)


def _fail(message: str) -> str:
    raise GoTemplateError(message)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": _and,
    "b64enc": lambda text: base64.b64encode(text.encode()).decode(),
    "concat": lambda *lists: [value for values in lists for value in values],
    "contains": lambda part, text: part in text,
    "deepCopy": copy.deepcopy,
    "default": lambda fallback, value=None: value or fallback,
    "dict": _dict,
    "eq": lambda first, *others: first in others,
    "empty": lambda value: not value,
    "fail": _fail,
    "first": lambda values: values[0] if values else None,
    "float64": float,
    "fromYaml": lambda text: yaml.safe_load(text) or {},
    "fromYamlArray": lambda text: yaml.safe_load(text) or [],
    "ge": lambda first, second: first >= second,
    "get": lambda items, key: items.get(key, ""),
    "gt": lambda first, second: first > second,
    "int": int,
    "int64": int,
    "join": lambda separator, values: separator.join(map(_text, values)),
    "merge": _merge,
    "hasKey": lambda items, key: key in items,
    "hasPrefix": lambda prefix, text: text.startswith(prefix),
    "has": lambda value, values: value in values,
    "kindIs": _kind_is,
    "len": len,
    "lt": lambda first, second: first < second,
    "le": lambda first, second: first <= second,
    "list": lambda *values: list(values),
    # Nothing: there is no cluster that could be asked, as with ``helm template``.
    "lookup": lambda *_: {},
    "lower": str.lower,
    "mulf": lambda first, second: first * float(second),
    "ne": lambda first, second: first != second,
    "nindent": _nindent,
    "not": lambda value: not value,
    "omit": lambda items, *keys: {key: value for key, value in items.items() if key not in keys},
    "or": _or,
    "print": lambda *texts: "".join(texts),
    "printf": _printf,
    "quote": lambda value: json.dumps(_text(value), ensure_ascii=False),
    "regexReplaceAll": _regex_replace_all,
    "replace": lambda old, new, text: text.replace(old, new),
    "semverCompare": _semver_compare,
    "set": lambda items, key, value: {**items, key: value},
    "sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "splitList": lambda separator, text: text.split(separator),
    "sub": lambda first, second: int(first) - int(second),
    "ternary": lambda first, second, condition: first if condition else second,
    "toString": _text,
    "toYaml": _to_yaml,
    "trim": str.strip,
    "trimSuffix": lambda suffix, text: text.removesuffix(suffix),
    "trunc": lambda count, text: text[:count],
    "uniq": lambda values: [value for place, value in enumerate(values) if value not in values[:place]],
}
