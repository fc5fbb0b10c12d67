"""Objects of which the protobuf is ready are sent as they are, and informers learn of them from the metadata alone."""

import json
from typing import Any

import pytest

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.apiserver.http.protobuf import encode_protobuf, load_messages
from fake_dra_driver.runtime import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.encodedwrites import EncodedObject
from fake_dra_driver.runtime.errors import AlreadyExistsError, ConflictError, UnusableAnswerError
from fake_dra_driver.runtime.session import Session
from fake_dra_driver.runtime.transport import HttpResponse
from tests.support.scripted import ScriptedTransport, Tokens

KEY = NamespacedName("", "node-0")

load_messages()


def encoded(metadata: dict[str, Any] | None = None, unschedulable: bool = False) -> EncodedObject:
    spec = {"unschedulable": unschedulable}
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": KEY.name, **(metadata or {})}, "spec": spec}
    raw = encode_protobuf(body)
    assert raw is not None
    return EncodedObject(Node, KEY, raw, {"spec": spec})


async def test_what_was_written_is_in_the_informers_of_metadata_at_once_and_in_no_other() -> None:
    client = ApiServer().client("test")
    cache = Cache(client)
    names = cache.informer(Node, field_selector="spec.unschedulable=", metadata_only=True)
    every = cache.informer(Node, metadata_only=True)
    whole = cache.informer(Node)
    for informer in (names, every, whole):
        informer.replace([], 1)
    created = await client.encoded.create(encoded())
    assert (created.name, created.resource_version) == (KEY.name, every.list()[0].metadata.resource_version)
    assert whole.list() == names.list() == []
    updated = await client.encoded.update(encoded({"labels": {"a": "b"}}, unschedulable=True))
    assert every.list()[0].metadata.labels == {"a": "b"}
    assert updated.resource_version != created.resource_version
    assert (await client.get(Node, KEY)).to_wire()["spec"]["unschedulable"] is True


async def test_what_is_there_and_what_has_changed_is_not_overwritten() -> None:
    client = ApiServer().client("test")
    created = await client.encoded.create(encoded())
    with pytest.raises(AlreadyExistsError):
        await client.encoded.create(encoded())
    version = {"resourceVersion": created.resource_version}
    await client.encoded.update(encoded(version, unschedulable=True))
    with pytest.raises(ConflictError):
        await client.encoded.update(encoded(version))


@pytest.mark.parametrize(
    "answer",
    [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-0", "uid": "u", "resourceVersion": "1"}},
        {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"name": "node-0"}},
        {
            "apiVersion": "meta.k8s.io/v1",
            "kind": "PartialObjectMetadata",
            "metadata": {"name": "node-1", "uid": "u", "resourceVersion": "1"},
        },
    ],
    ids=["the whole object", "no identity", "another object"],
)
async def test_another_answer_is_not_taken_for_the_metadata(answer: dict[str, Any]) -> None:
    transport = ScriptedTransport(HttpResponse(200, {}, json.dumps(answer).encode()))
    client = Client(Session(transport, Tokens("token"), user_agent="test"))
    told: list[object] = []
    client.add_write_observer(lambda _kind, raw: told.append(raw))
    with pytest.raises(UnusableAnswerError):
        await client.encoded.update(encoded())
    assert told == []
