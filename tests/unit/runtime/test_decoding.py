"""JSON that is nested deeper than Python can read, which anyone may send who may create a ResourceClaim."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.decoding import MAX_COLLECTIONS, MAX_DEPTH, MAX_VALUES, TooManyValuesError, parse
from fake_dra_driver.runtime.errors import InvalidObjectError, TransportError
from fake_dra_driver.runtime.informer import Informer
from fake_dra_driver.runtime.listwatch import Selection
from fake_dra_driver.runtime.session import Session
from fake_dra_driver.runtime.transport import HttpResponse
from tests.support.scripted import ScriptedTransport, Tokens

DEPTHS = [150, 400, 900, 990, 5000]
"""Below and above what Python reads, compares, and copies (1,000 levels or fewer)."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def claim_text(name: str, parameters: str = "{}") -> str:
    """A claim as the API server sends it."""
    opaque = f'{{"driver": "lamps.example.com", "parameters": {parameters}}}'
    spec = f'{{"devices": {{"config": [{{"opaque": {opaque}}}]}}}}'
    metadata = json.dumps({"namespace": "default", "name": name, "uid": name, "resourceVersion": "7"})
    return f'{{"metadata": {metadata}, "spec": {spec}}}'


def nested(depth: int) -> str:
    return f'{{"a": {"[" * (depth - 1)}{"]" * (depth - 1)}}}'


def depth_of(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        containers = [each for each in level if isinstance(each, dict | list)]
        level = [inner for each in containers for inner in (each.values() if isinstance(each, dict) else each)]
        depth += 1 if containers else 0
    return depth


def client(text: str) -> Client:
    return Client(Session(ScriptedTransport(HttpResponse(200, {}, text.encode())), Tokens("token"), user_agent="test"))


@pytest.mark.parametrize(
    "text",
    [
        b"[" + b"{}," * MAX_COLLECTIONS + b"{}]",
        b"[" + b"0," * MAX_VALUES + b"0]",
        b"[" * (MAX_COLLECTIONS + 1),
        b"[" + b'{"a":0},' * MAX_COLLECTIONS + b"0]",
    ],
    ids=["objects", "numbers", "brackets", "members"],
)
def test_more_values_than_memory_is_there_for_are_not_read(text: bytes) -> None:
    with pytest.raises(TooManyValuesError, match="600000 objects and lists"):
        parse(text)


def test_what_a_tenant_writes_into_a_string_is_no_value() -> None:
    written = "{[," * MAX_VALUES + '\\"'
    assert parse(json.dumps([written, {}]).encode()) == [written, {}]


@given(value=json_values)
def test_ordinary_json_is_read_as_ever(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud83d\ude00"', "😀"),
        (r'"a\ud800b"', "a���b"),
        (r'{"\uDFFF": "\\ud800"}', {"���": "\\ud800"}),
        ('"\\ud800' + "[" * 3000 + '"', "���" + "[" * 3000),
    ],
)
def test_half_of_a_surrogate_pair_is_replaced(text: str, value: Any) -> None:
    assert parse(text.encode()) == value


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "9" * 5000, "\ufeff{}"])
def test_what_go_does_not_read_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text.encode())


@settings(max_examples=20)
@given(around=json_values, opener=st.sampled_from(["[", '{"k": ', '[1, ["["], ', '{"]": "\\"}", "k": ']))
def test_what_is_nested_too_deep_is_cut_out_and_the_rest_is_there(around: Any, opener: str) -> None:
    closer = "]" if opener.startswith("[") else "}"
    deep = opener * 5000 + "1" + closer * 5000
    read = parse(f'{{"before": {json.dumps(around)}, "deep": {deep}, "after": {json.dumps(around)}}}'.encode())
    assert (read["before"], read["after"]) == (around, around)
    assert depth_of(read["deep"]) <= MAX_DEPTH


@pytest.mark.parametrize("text", ["[" * 5000, "[" * 5000 + "}" * 5000, "[" * 5000 + '"' + "]" * 5000, "{", "", "\xff"])
def test_what_is_no_json_is_an_error_at_any_depth(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text.encode("latin-1"))


@pytest.mark.parametrize("depth", DEPTHS)
async def test_one_object_that_is_too_deep_does_not_spoil_a_list(depth: int) -> None:
    items = ", ".join([claim_text("deep", nested(depth)), claim_text("plain")])
    about = '"kind": "ResourceClaimList", "apiVersion": "resource.k8s.io/v1", "metadata": {"resourceVersion": "9"}'
    found = await client(f'{{{about}, "items": [{items}]}}').list(v1.ResourceClaim)
    assert [claim.metadata.name for claim in found.items] == ["plain"]
    [refused] = found.invalid
    assert refused.key == NamespacedName("default", "deep")
    assert "nested more than 100 deep" in str(refused)


@pytest.mark.parametrize("depth", DEPTHS)
async def test_an_object_that_is_too_deep_is_refused_by_the_model(depth: int) -> None:
    with pytest.raises(InvalidObjectError, match="nested more than 100 deep"):
        await client(claim_text("deep", nested(depth))).get(v1.ResourceClaim, NamespacedName("default", "deep"))


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_watch_goes_on_after_an_object_that_is_too_deep(depth: int) -> None:
    lines = [f'{{"type": "ADDED", "object": {text}}}\n' for text in (claim_text("d", nested(depth)), claim_text("p"))]
    claims: Informer[v1.ResourceClaim] = Informer(v1.ResourceClaim, Selection(v1.ResourceClaim.resource), dict)
    async for event in client("".join(lines)).list_watch.watch(
        Selection(v1.ResourceClaim.resource), "7", timeout_seconds=1, inactivity_seconds=1
    ):
        claims.handle(event.type, event.object)
        claims.observe({**event.object, "metadata": {**event.object["metadata"], "resourceVersion": "8"}})
    assert [claim.metadata.name for claim in claims.list()] == ["p"]
    assert [refused.key.name for refused in claims.invalid()] == ["d"]


async def test_an_answer_that_is_no_json_is_an_error_of_the_transport() -> None:
    with pytest.raises(TransportError):
        await client("[" * 5000).get(v1.ResourceClaim, NamespacedName("default", "deep"))
