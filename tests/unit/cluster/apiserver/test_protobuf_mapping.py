"""Every kind that is served, of every release, as protobuf and back."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.http.protobuf.envelope import decode_protobuf, encode_protobuf, message_name
from fake_dra_driver.cluster.apiserver.http.protobuf.special import SPECIAL
from fake_dra_driver.cluster.apiserver.store.store import encode
from fake_dra_driver.cluster.apiserver.types.objecttype import Shape, Type, TypeRegistry
from fake_dra_driver.cluster.releases import RELEASES
from fake_dra_driver.kubeproto.messages import Field, message_type
from tests.crash.bounds import examples

_DEPTH = 12
"""Of the objects that are made. Schemas of CRDs are in themselves."""
_TEXTS = st.text(max_size=4)
_LONG = st.integers(-(2**63), 2**63 - 1)
_JSON = st.recursive(
    st.booleans() | _LONG | _TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=3,
)
_OBJECTS = st.dictionaries(_TEXTS, _JSON, max_size=2)
_SPECIAL: Mapping[str, st.SearchStrategy[Any]] = {
    "FieldsV1": _OBJECTS,
    "IntOrString": st.integers(-(2**31), 2**31 - 1) | _TEXTS,
    "JSON": _JSON,
    "MicroTime": st.datetimes().map(lambda time: f"{time.isoformat(timespec='microseconds')}Z"),
    "Quantity": st.integers(0, 10**6).map(lambda number: f"{number}m"),
    "RawExtension": _OBJECTS,
    "Time": st.datetimes().map(lambda time: f"{time.isoformat(timespec='seconds')}Z"),
}
"""By the name of the definition: values of what OpenAPI has no structure for."""
_SCHEMA_OR: Mapping[str, st.SearchStrategy[Any]] = {
    "JSONSchemaPropsOrArray": st.lists(st.just({"type": "string"}), min_size=1, max_size=2),
    "JSONSchemaPropsOrBool": st.booleans(),
    "JSONSchemaPropsOrStringArray": st.lists(_TEXTS, min_size=1, max_size=2),
}
"""What there may be in the place of a schema."""


_RELEASES = [name for name, each in RELEASES.items() if each.api_server]


def _kinds() -> Iterator[tuple[str, str, str]]:
    """The release, apiVersion and name of each kind that is served, and of those that only bodies have."""
    for release in _RELEASES:
        for schema in TypeRegistry.load(release).definitions.values():
            for each in schema.get("x-kubernetes-group-version-kind", ()):
                yield release, f"{each['group']}/{each['version']}".removeprefix("/"), each["kind"]


_KINDS = sorted(_kinds())


def _type(release: str, api_version: str, kind: str) -> Type:
    types, (group, _, version) = TypeRegistry.load(release), api_version.rpartition("/")
    return types.named(types.name_of(group, version, kind))


def _fields(message: str) -> Mapping[str, Field]:
    """The fields of a message by their names in JSON."""
    type_ = message_type(message)
    found = dict(type_.by_json_name)
    for each in type_.embedded:
        found |= _fields(each.message)
    return found


@pytest.mark.parametrize("release", _RELEASES)
def test_each_field_of_each_kind_has_a_field_in_protobuf(release: str) -> None:
    seen = set()

    def missing(type_: Type, message: str) -> Iterator[str]:
        if message in seen or message in SPECIAL:
            return
        seen.add(message)
        fields = _fields(message)
        for name, inner in type_.fields.items():
            field = fields.get(name)
            if field is None:
                if name not in ("kind", "apiVersion"):
                    yield f"{message}: {name}"
                continue
            assert (field.is_list, field.is_map) == (inner.shape is Shape.LIST, inner.shape is Shape.MAP), name
            element = inner.element if field.is_list or field.is_map else inner
            if field.message and element is not None:
                yield from missing(element, field.message)

    for found, api_version, kind in _KINDS:
        if found == release:
            message = message_name(api_version, kind)
            assert message is not None, f"{kind} of {api_version}"
            assert list(missing(_type(release, api_version, kind), message)) == []
    assert len(seen) > 200


@pytest.mark.parametrize("release", _RELEASES)
@examples(15, 1000)
@given(data=st.data())
def test_an_object_comes_back_as_it_was(release: str, data: st.DataObject) -> None:
    _, api_version, kind = data.draw(st.sampled_from([each for each in _KINDS if each[0] == release]))
    drawn = _value(data.draw, _type(release, api_version, kind), 0)
    obj = {**drawn, "apiVersion": api_version, "kind": kind}
    raw = encode_protobuf(obj)
    assert raw is not None
    assert decode_protobuf(raw, "") == obj


@examples(150, 20_000)
@given(data=st.data())
def test_damage_is_told_or_read_over(data: st.DataObject) -> None:
    release, api_version, kind = data.draw(st.sampled_from(_KINDS))
    drawn = _value(data.draw, _type(release, api_version, kind), 0)
    raw = encode_protobuf({**drawn, "apiVersion": api_version, "kind": kind})
    assert raw is not None
    at = data.draw(st.integers(4, len(raw)))
    damaged = raw[:at] + data.draw(st.binary(max_size=6)) + raw[at + data.draw(st.integers(0, 4)) :]
    try:
        read = decode_protobuf(damaged, kind, api_version)
    except StatusError as error:
        code = error.code
    else:
        # What is read can be stored, and sent.
        code = 200 if json.loads(encode(read)) == read else 500
    assert code in (200, 400, 415)


def _value(draw: Callable[[st.SearchStrategy[Any]], Any], type_: Type, depth: int) -> Any:
    """A value of the type."""
    name = type_.reference.rpartition(".")[2]
    if name in _SPECIAL:
        return draw(_SPECIAL[name])
    if name in _SCHEMA_OR:
        return draw(_SCHEMA_OR[name])
    match type_.shape:
        case Shape.STRUCT:
            fields = {} if depth > _DEPTH else _without_kind(type_)
            chosen = draw(st.sets(st.sampled_from(sorted(fields)), max_size=4)) if fields else ()
            made = {each: _value(draw, fields[each], depth + 1) for each in sorted(chosen)}
            return {each: value for each, value in made.items() if not _is_lost(name, fields[each], value)}
        case Shape.LIST if type_.element is not None:
            return [_value(draw, type_.element, depth + 1) for _ in range(draw(st.integers(0, 2)))]
        case Shape.MAP if type_.element is not None:
            keys = draw(st.sets(_TEXTS, max_size=2))
            return {key: _value(draw, type_.element, depth + 1) for key in sorted(keys)}
    return draw(_scalars(type_))


def _without_kind(type_: Type) -> Mapping[str, Type]:
    """The fields of a type. Of an object in another one protobuf does not say of which kind it is, which is known."""
    if "x-kubernetes-group-version-kind" not in type_.schema:
        return type_.fields
    return {name: each for name, each in type_.fields.items() if name not in ("apiVersion", "kind")}


def _is_lost(owner: str, field: Type, value: Any) -> bool:
    """Whether protobuf does not have the field: it knows no empty lists and maps, and no zeros are kept of a schema."""
    is_zero = value is False or value == ""
    return (field.shape in (Shape.LIST, Shape.MAP) and not value) or (owner == "JSONSchemaProps" and is_zero)


def _scalars(type_: Type) -> st.SearchStrategy[Any]:
    bits = 64 if type_.schema.get("format") == "int64" else 32
    match type_.schema.get("type"):
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        case "number":
            return st.integers(-100, 100) | st.sampled_from([0.5, -2.25])
        case "string" if type_.schema.get("format") == "byte":
            return st.sampled_from(["", "AA==", "/w=="])
    return _TEXTS
