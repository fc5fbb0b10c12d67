"""Values of the chart, drawn from its schema: what a person might set who knows what each value means.

A text without a pattern is drawn by what its name says it is: a namespace, a tag, labels. Where the name says nothing,
it is the name of an object, which nearly every text of a chart is.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import hypothesis.strategies as st

from tests.integration.chart.examples import MOUNTED, examples_for
from tests.integration.chart.names import dns_labels, namespaces

__all__ = ["Leaf", "drawn_values", "leaves", "nested"]

JsonSchema = Mapping[str, Any]

_LARGEST: Final = 2**31 - 1
"""Counts and seconds are an int32 or more in Kubernetes."""
_LABEL_VALUE: Final = r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?"
_LABEL_KEYS: Final = ("team", "example.com/cost-center", "kubernetes.io/arch", "0", "a_b.c", "release")
_OURS: Final = ("app.kubernetes.io/name", "app.kubernetes.io/component", "helm.sh/chart")
"""Keys that the chart sets as well: a mapping must not have one twice."""
_ANNOTATIONS: Final = ("true", "012", "a: b", "{{ .Values.x }}", 'it\'s "so"', "line\nbreak\n", " é\t#", "", "- x", "|")
_SELECTORS: Final = ("", "type=kwok", "a=b,c!=d,!e", "example.com/pool in (a, b)", "true==1e3", "f notin ()")
_PATHS: Final = ("/var/lib/kubelet/plugins", "/012", "/a b/c", "/data #1", "/é/'x'", '/"quoted"', "/{{x}}", "/a\\b")
_REFUSED: Final = "namespace"
"""A value that the chart always refuses, in its own words, which a test of its own asks for."""
_SWITCHES: Final = ("bind", "create", "enabled")
_ONE_OF_THE_TWO: Final = ("deviceClass", "resourceClass")
"""Each is for one of the two kinds of DRA, and refused with the other."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that can be set, and what it can be set to."""

    path: tuple[str, ...]
    schema: JsonSchema = field(compare=False)

    @property
    def name(self) -> str:
        """The last part."""
        return self.path[-1]

    @property
    def is_switch(self) -> bool:
        """Whether objects come and go with it."""
        types = [each.get("type") for each in (self.schema, *self.schema.get("anyOf", ()))]
        return "boolean" in types and self.name in _SWITCHES and self.path[0] not in _ONE_OF_THE_TWO

    def __repr__(self) -> str:
        return ".".join(self.path)


def leaves(schema: JsonSchema, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every value that has no values below it which the schema knows."""
    properties: Mapping[str, JsonSchema] = schema.get("properties", {})
    if properties and not schema.get("additionalProperties"):
        for name, each in properties.items():
            if (*path, name) not in {(_REFUSED,), ("enabled",), ("global",)}:
                yield from leaves(each, (*path, name))
    elif path:
        yield Leaf(path, schema)


def drawn_values(schema: JsonSchema) -> st.SearchStrategy[dict[str, Any]]:
    """Some values, most of them left out."""
    known = list(leaves(schema))
    switches = [leaf for leaf in known if leaf.is_switch]
    others = [leaf for leaf in known if not leaf.is_switch]
    on = st.lists(st.sampled_from(switches), unique=True, max_size=len(switches))
    chosen = st.lists(st.sampled_from(others), unique=True, max_size=8)

    @st.composite
    def draw_values(draw: st.DrawFn) -> dict[str, Any]:
        drawn = {leaf.path: draw(st.sampled_from([True, True, False])) for leaf in draw(on)}
        for leaf in draw(chosen):
            drawn[leaf.path] = draw(value_of(leaf))
        return nested(_with_volumes(drawn, known))

    return draw_values()


def nested(flat: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """Values by their paths, as they stand in a file."""
    whole: dict[str, Any] = {}
    for path, value in flat.items():
        place = whole
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = value
    return whole


def _with_volumes(drawn: dict[tuple[str, ...], Any], known: Sequence[Leaf]) -> dict[tuple[str, ...], Any]:
    """Adds to a component with mounts of its own the volume that they are of."""
    paths = {leaf.path for leaf in known}
    added = {
        _sibling(path, "olumeMounts", "olumes"): [MOUNTED]
        for path, value in drawn.items()
        if path[-1].endswith("olumeMounts") and value
    }
    return {**{path: value for path, value in added.items() if path in paths}, **drawn}


def _sibling(path: tuple[str, ...], old: str, new: str) -> tuple[str, ...]:
    return (*path[:-1], path[-1].removesuffix(old) + new)


def value_of(leaf: Leaf) -> st.SearchStrategy[Any]:
    """What a person might set it to. Fails for a value of Kubernetes' own form that has no examples."""
    return _of_schema(leaf.name, leaf.schema, f"{leaf!r}")


def _of_schema(name: str, schema: JsonSchema, path: str) -> st.SearchStrategy[Any]:
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return st.one_of([_of_schema(name, each, path) for each in branches])
    types = schema.get("type", [])
    kinds = [types] if isinstance(types, str) else types
    if kinds == ["array"]:
        return _array(name, schema, path)
    if sorted(kinds) == ["number", "string"]:
        # The pattern of its text knows no bounds.
        number = _number("number", schema)
        return st.one_of(number, number.map(str))
    return st.one_of([_scalar_or_map(kind, name, schema, path) for kind in kinds])


def _scalar_or_map(kind: str, name: str, schema: JsonSchema, path: str) -> st.SearchStrategy[Any]:
    match kind:
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "integer" | "number":
            return _number(kind, schema)
        case "string":
            return _text(name, schema)
        case "object":
            return _map(name, schema, path)
        case _:
            raise AssertionError(f"{path}: values of type {kind!r} are not drawn yet")


def _number(kind: str, schema: JsonSchema) -> st.SearchStrategy[Any]:
    least, most = schema.get("minimum", 0), min(schema.get("maximum", _LARGEST), _LARGEST)
    # helm reads all numbers as floats, and prints large ones with an exponent unless told otherwise.
    whole = st.sampled_from([one for one in (least, least + 1, 1_000_000, 1_234_567, most) if least <= one <= most])
    if kind == "integer":
        return st.one_of(whole.map(int), st.integers(int(least), int(most)))
    return st.one_of(whole, st.sampled_from([0.5, 1.5, 2.25]).filter(lambda one: least <= one <= most))


def _text(name: str, schema: JsonSchema) -> st.SearchStrategy[str]:
    pattern, lowered = schema.get("pattern"), name.lower()
    drawn: st.SearchStrategy[str]
    if pattern == "^/":
        # No two of them are one folder, which no pod can mount twice.
        drawn = st.sampled_from(_PATHS).map(lambda folder: f"{folder}/{name}")
    elif lowered.endswith("selector"):
        drawn = st.sampled_from(_SELECTORS)
    elif pattern:
        drawn = st.from_regex(pattern.replace("$", r"\Z"), alphabet=st.characters(codec="ascii"))
        drawn = drawn.filter(lambda text: len(text) < 60)
    elif "namespace" in lowered:
        drawn = namespaces()
    elif lowered == "cabundle":
        drawn = st.just("-----BEGIN CERTIFICATE-----\nMIIB: '\n-----END CERTIFICATE-----\n")
    elif lowered == "tag":
        drawn = st.sampled_from(["", "v1.2.3", "1.10", "12345", "1e3", "latest", "v1.0.0_build.7"])
    elif lowered in {"repository", "registry", "imageregistry"}:
        drawn = st.sampled_from(["registry.example:5000", "ghcr.io/org/fake-dra-driver", "localhost/x", "12345"])
    else:
        drawn = dns_labels()
    if schema.get("minLength") or pattern:
        return drawn
    return st.one_of(drawn, st.just(""))


def _array(name: str, schema: JsonSchema, path: str) -> st.SearchStrategy[list[Any]]:
    items: JsonSchema = schema.get("items", {})
    if name == "args":
        return st.sampled_from([[], ["-v=1"], ["--logging-format=text", "-v=3"]])
    branches: Sequence[JsonSchema] = items.get("anyOf") or items.get("oneOf") or [items]
    known = [each for each in branches if not _is_free(each)]
    strategies = [_examples(name, path)] if len(known) < len(branches) else []
    if known:
        one = st.one_of([_of_schema(name, each, path) for each in known])
        # An empty text is the name of nothing. Values of which each is a mapping are told apart by their JSON.
        one = one.filter(lambda value: value != "")
        strategies.append(st.lists(one, min_size=schema.get("minItems", 0), max_size=3, unique_by=json.dumps))
    return st.one_of(strategies)


def _map(name: str, schema: JsonSchema, path: str) -> st.SearchStrategy[dict[str, Any]]:
    if _is_free(schema):
        return _examples(name, path)
    if "annotations" in name.lower():
        keys = st.sampled_from([*_LABEL_KEYS, "checksum/certificate", "prometheus.io/scrape"])
        return st.dictionaries(keys, st.sampled_from(_ANNOTATIONS), max_size=3)
    texts = st.one_of(st.sampled_from(["true", "012", "1e3", ""]), st.from_regex(_LABEL_VALUE, fullmatch=True))
    return st.dictionaries(st.sampled_from([*_LABEL_KEYS, *_OURS]), texts, max_size=3)


def _is_free(schema: JsonSchema) -> bool:
    """Whether its form is Kubernetes' own."""
    return schema.get("type") == "object" and schema.get("additionalProperties", True) is True


def _examples(name: str, path: str) -> st.SearchStrategy[Any]:
    known = examples_for(name)
    if known is None:
        raise AssertionError(f"{path}: give examples of this value, whose form the schema does not tell")
    return st.sampled_from(known)
