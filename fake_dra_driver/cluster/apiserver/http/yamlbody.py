"""YAML in the bodies of requests: read as sigs.k8s.io/yaml does it, into JSON values.

That is YAML 1.1: ``y``, ``no`` and ``off`` are booleans, also as keys. Times and dates stay texts.
"""

import re
from typing import Any

import yaml

__all__ = ["YamlError", "read_yaml"]


class YamlError(ValueError):
    """The message says what is wrong, and where."""


class _Loader(yaml.SafeLoader):
    """Safe YAML that notes duplicate keys."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.duplicates: list[str] = []

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
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_BOOLEANS = {"y": True, "Y": True, "n": False, "N": False}


def _construct_bool(loader: _Loader, node: yaml.ScalarNode) -> bool:
    value = str(loader.construct_scalar(node))
    return _BOOLEANS[value] if value in _BOOLEANS else bool(loader.construct_yaml_bool(node))


for _sign in _BOOLEANS:
    _Loader.yaml_implicit_resolvers.setdefault(_sign, []).append(("tag:yaml.org,2002:bool", re.compile(f"^{_sign}$")))
_Loader.add_constructor("tag:yaml.org,2002:bool", _construct_bool)


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
