"""YAML in the bodies of requests: read as sigs.k8s.io/yaml does it, into JSON values.

That is YAML 1.1: ``y``, ``no`` and ``off`` are booleans, also as keys. Times and dates stay texts. Numbers are those
of Go (``resolve`` in goyaml.v2) and not those of the YAML library: ``1e3`` and ``089`` are numbers, ``12:30`` is none.
"""

import math
import re
from typing import Any

import yaml

__all__ = ["YamlError", "read_yaml"]

_NUMBER = "tag:fake-dra-driver,2026:number"
_MERGE = "tag:yaml.org,2002:merge"
_NOT_IN_GO = tuple(f"tag:yaml.org,2002:{name}" for name in ("float", "int", "timestamp", "value"))
"""What the YAML library makes of plain texts in a way of its own."""
_INTEGER = re.compile(r"[-+]?(0x[0-9a-f]+|0b[01]+|0o[0-7]+|0|[1-9][0-9]*)", re.IGNORECASE)
_OCTAL = re.compile(r"[-+]?0[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INTEGERS = range(-(2**63), 2**64)
"""Larger ones are floats, and texts where they are too large for these."""
_LONGEST_INTEGER = len("-0b") + 64


def _number(text: str) -> int | float | None:
    """What Go reads a plain text as, which may have underscores anywhere but in front; None: no number."""
    plain = "" if text.startswith("_") else text.replace("_", "")
    if len(plain) <= _LONGEST_INTEGER and (_OCTAL.fullmatch(plain) or _INTEGER.fullmatch(plain)):
        whole = int(plain, 8 if _OCTAL.fullmatch(plain) else 0)
        if whole in _INTEGERS:
            return whole
    value = float(plain) if _FLOAT.fullmatch(plain) else math.inf
    if math.isinf(value):
        return None
    # Go writes it into JSON without a fraction where there is none.
    return int(value) if value.is_integer() else value


class YamlError(ValueError):
    """The message says what is wrong, and where."""


# libyaml, where there is one: Go's parser is a translation of it, and it takes a sixth of the time.
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc] # one of two classes
    """Safe YAML that notes duplicate keys."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.duplicates: list[str] = []

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        """The tag of a node; numbers are Go's."""
        if kind is yaml.ScalarNode and implicit[0] and _number(value) is not None:
            return _NUMBER
        return str(super().resolve(kind, value, implicit))

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Also notes the duplicate keys of each mapping."""
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    line = key_node.start_mark.line + 1
                    self.duplicates.append(f'line {line}: key "{key_node.value}" already set in map')
                seen.add(key_node.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return found


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_IN_GO]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_BOOLEANS = {"y": True, "Y": True, "n": False, "N": False}


def _construct_bool(loader: _Loader, node: yaml.ScalarNode) -> bool:
    value = str(loader.construct_scalar(node))
    return _BOOLEANS[value] if value in _BOOLEANS else bool(loader.construct_yaml_bool(node))


def _construct_number(_: _Loader, node: yaml.ScalarNode) -> int | float | None:
    return _number(node.value)


def _construct_text(_: _Loader, node: yaml.ScalarNode) -> str:
    """A ``<<`` merges mappings as a key; as a value it is a text."""
    return str(node.value)


for _sign in _BOOLEANS:
    _Loader.yaml_implicit_resolvers.setdefault(_sign, []).append(("tag:yaml.org,2002:bool", re.compile(f"^{_sign}$")))
_Loader.add_constructor("tag:yaml.org,2002:bool", _construct_bool)
_Loader.add_constructor(_NUMBER, _construct_number)
_Loader.add_constructor(_MERGE, _construct_text)


def read_yaml(raw: bytes) -> tuple[Any, list[str]]:
    """The value of a document, and its duplicate fields. Raises YamlError."""
    try:
        loader = _Loader(raw)
        try:
            value = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise YamlError(f"yaml: line {line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise YamlError(f"yaml: {error}") from error
    joined = "\n  ".join(loader.duplicates)
    return _as_json(value), [f"yaml: unmarshal errors:\n  {joined}"] if joined else []


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(key): _as_json(each) for key, each in value.items()}
    return [_as_json(each) for each in value] if isinstance(value, list) else value


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)
