"""Answers with 200 that are not about the object that was asked for: none of them is taken for it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from fake_dra_driver.api.kube.core import Event, Node, ObjectReference, Pod
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName, ObjectMeta
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import (
    ApiError,
    InvalidObjectError,
    RuntimeLayerError,
    TransportError,
    UnusableAnswerError,
)
from fake_dra_driver.runtime.listwatch import ListWatch, Selection
from fake_dra_driver.runtime.rest import RestClient
from fake_dra_driver.runtime.session import Session
from fake_dra_driver.runtime.transport import HttpResponse
from tests.support.scripted import ScriptedTransport, Tokens

KEY = NamespacedName("default", "web")
POD: Mapping[str, Any] = {
    "kind": "Pod",
    "apiVersion": "v1",
    "metadata": {"namespace": "default", "name": "web", "uid": "uid-1", "resourceVersion": "7"},
    "spec": {},
}


def changed(**metadata: Any) -> Mapping[str, Any]:
    return {**POD, "metadata": {**POD["metadata"], **metadata}}


OTHERS: Mapping[str, Any] = {
    "an empty object": {},
    "a Status": {"kind": "Status", "apiVersion": "v1", "status": "Success"},
    "another kind": {**POD, "kind": "Node"},
    "a kind that is a list": {**POD, "kind": ["Pod"]},
    "another version": {**POD, "apiVersion": "v2"},
    "a list": {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [POD]},
    "no metadata": {**POD, "metadata": None},
    "metadata that is a text": {**POD, "metadata": "text"},
    "another name": changed(name="other"),
    "a name that is a number": changed(name=7),
    "another namespace": changed(namespace="kube-system"),
    "no namespace": changed(namespace=None),
    "no UID": changed(uid=None),
    "a UID that is a map": changed(uid={}),
    "no resourceVersion": changed(resourceVersion=None),
    "a resourceVersion that is a number": changed(resourceVersion=7),
    "a resourceVersion of 5,000 digits": changed(resourceVersion="9" * 5000),
}
VERBS: Mapping[str, Callable[[Client], Awaitable[object]]] = {
    "get": lambda client: client.get(Pod, KEY),
    "create": lambda client: client.create(Pod(metadata=ObjectMeta(name="web", namespace="default"))),
    "update": lambda client: client.update(Pod.from_wire(POD)),
    "update_status": lambda client: client.update_status(Pod.from_wire(POD)),
    "merge_patch": lambda client: client.merge_patch(Pod, KEY, {}),
    "json_patch": lambda client: client.json_patch(Pod, KEY, []),
    "apply": lambda client: client.apply(Pod, KEY, {}, field_manager="test"),
}


class Observed:
    """A client with one answer, and what its observers were told."""

    def __init__(self, body: bytes) -> None:
        self.client = Client(
            Session(ScriptedTransport(HttpResponse(200, {}, body)), Tokens("token"), user_agent="test")
        )
        self.told: list[object] = []
        self.client.add_write_observer(lambda kind, raw: self.told.append(raw))
        self.client.add_delete_observer(lambda kind, key, uid: self.told.append(uid))


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize("answer", OTHERS.values(), ids=OTHERS)
async def test_another_object_is_not_taken_for_the_one_that_was_asked_for(
    verb: Callable[[Client], Awaitable[object]], answer: Any
) -> None:
    observed = Observed(json.dumps(answer).encode())
    with pytest.raises(UnusableAnswerError) as raised:
        await verb(observed.client)
    assert observed.told == []
    assert len(str(raised.value)) < 500


NO_JSON = {
    "nothing": b"",
    "null": b"null",
    "an array": b"[{}]",
    "a number": b"7",
    "a text": b'"text"',
    "a page": b"<html>Welcome to the proxy</html>",
    "NaN": json.dumps({**POD, "spec": {"a": float("nan")}}).encode(),
    "Infinity": json.dumps({**POD, "spec": {"a": float("-inf")}}).encode(),
    "5,000 digits": json.dumps(POD).replace("{}", '{"a": ' + "9" * 5000 + "}").encode(),
    "invalid UTF-8": json.dumps(POD).replace("web", "\xff").encode("latin-1"),
    "half a surrogate pair in UTF-8": json.dumps(POD).replace("web", "\ud800").encode(errors="surrogatepass"),
    "a byte order mark": json.dumps(POD).encode("utf-8-sig"),
    "UTF-16": json.dumps(POD).encode("utf-16"),
    "the beginning of an object": json.dumps(POD).encode()[:-1],
    "two objects": json.dumps(POD).encode() * 2,
    "brackets": b"[" * 100_000,
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
async def test_what_is_no_json_object_is_an_error(verb: Callable[[Client], Awaitable[object]], body: bytes) -> None:
    observed = Observed(body)
    with pytest.raises(TransportError, match="not a JSON object"):
        await verb(observed.client)
    assert observed.told == []


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
async def test_a_failure_with_200_is_a_failure(verb: Callable[[Client], Awaitable[object]]) -> None:
    for code, expected in ((409, 409), (200, 500), ("409", 500), (None, 500), (10**100, 500)):
        answer = {"kind": "Status", "status": "Failure", "code": code, "reason": ["x"], "details": "x"}
        with pytest.raises(ApiError) as raised:
            await verb(Observed(json.dumps(answer).encode()).client)
        assert raised.value.code == expected


FIELDS: Mapping[str, Any] = {
    "a time without a zone": {"creationTimestamp": "2026-01-01T00:00:00"},
    "a time after all clocks": {"creationTimestamp": "9999-12-31T23:59:59-14:00"},
    "a time before all clocks": {"creationTimestamp": "0001-01-01T00:00:00+14:00"},
    "a year 0": {"creationTimestamp": "0000-01-01T00:00:00Z"},
    "a time that is a huge number": {"creationTimestamp": 1e308},
    "labels that are a text": {"labels": "text"},
    "a label that is a number": {"labels": {"a": 7}},
    "finalizers that are a map": {"finalizers": {"a": 7}},
    "owners that are numbers": {"ownerReferences": [7]},
    "a generation in letters": {"generation": "x"},
}


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
async def test_an_object_that_is_the_one_and_makes_no_sense_is_refused_by_the_model(fields: Any) -> None:
    with pytest.raises(InvalidObjectError) as raised:
        await Observed(json.dumps(changed(**fields)).encode()).client.get(Pod, KEY)
    assert raised.value.key == KEY


DELETED: Mapping[str, tuple[Any, list[object]]] = {
    "the object": (POD, ["uid-1"]),
    "the object, held back": (changed(deletionTimestamp="2026-01-01T00:00:00Z"), ["held back"]),
    "a Status": ({"kind": "Status", "status": "Success", "details": {"uid": "uid-1"}}, ["uid-1"]),
    "a Status that says nothing": ({"kind": "Status"}, []),
    "details that are a text": ({"kind": "Status", "details": "text"}, []),
    "a UID that is a list": ({"kind": "Status", "details": {"uid": []}}, []),
}


@pytest.mark.parametrize(("answer", "told"), DELETED.values(), ids=DELETED)
async def test_what_a_delete_has_removed_is_what_the_answer_says(answer: Any, told: list[object]) -> None:
    observed = Observed(json.dumps(answer).encode())
    await observed.client.delete(Pod, KEY, uid=UID("uid-1"))
    assert [each if isinstance(each, str) else "held back" for each in observed.told] == told


@pytest.mark.parametrize(
    "answer",
    [*OTHERS.values(), {"kind": "Status", "details": {"uid": "another"}}, changed(uid="another")],
)
async def test_a_delete_tells_nothing_of_another_object(answer: Any) -> None:
    observed = Observed(json.dumps(answer).encode())
    try:
        await observed.client.delete(Pod, KEY, uid=UID("uid-1"))
    except UnusableAnswerError:
        pass
    else:
        assert answer == OTHERS["a Status"], "which is what an API server may answer"
    assert observed.told == []


async def test_the_server_makes_up_the_name_where_it_was_asked_to() -> None:
    reference = ObjectReference(kind="Pod", name="web", namespace="default")
    event = Event(metadata=ObjectMeta(generate_name="web.", namespace="default"), involved_object=reference)
    metadata = {"name": "web.1", "namespace": "default", "uid": "uid-1", "resourceVersion": "7"}
    made = await Observed(json.dumps({**event.to_wire(), "metadata": metadata}).encode()).client.create(event)
    assert made.metadata.name == "web.1"


async def test_a_review_has_no_identity() -> None:
    class Review(KubeObject):
        resource = Node.resource

    made = await Observed(b'{"status": {"allowed": true}}').client.create(Review())
    assert made.to_wire()["status"] == {"allowed": True}


@pytest.mark.parametrize("field", ["x" * 100_000, "\x1b[2J\n\u202e", "\ud800"])
async def test_text_of_the_server_is_escaped_and_cut_in_the_words_of_an_error(field: str) -> None:
    body = {"kind": "Status", "reason": field, "message": field, "details": {"name": field}}
    transport = ScriptedTransport(HttpResponse(404, {}, json.dumps(body).encode()))
    with pytest.raises(RuntimeLayerError) as raised:
        await Client(Session(transport, Tokens("token"), user_agent="test")).get(Pod, KEY)
    assert len(str(raised.value)) < 1000
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("shown", [200, 5_000])
async def test_a_server_that_repeats_the_token_is_not_quoted(shown: int) -> None:
    token = "eyJhbGciOiJSUzI1NiIsImtpZCI6Im" * 100
    answer = HttpResponse(400, {}, f"Got more than 8190 bytes when reading: b'Bearer {token}'"[:shown].encode())
    transport = ScriptedTransport(answer, answer)
    client = Client(Session(transport, Tokens(token), user_agent="test"))
    with pytest.raises(RuntimeLayerError, match="it repeats the token") as raised:
        await client.get(Pod, KEY)
    assert token[:10] not in str(raised.value)
    watch = ListWatch(RestClient(Session(transport, Tokens(token), user_agent="test")))
    with pytest.raises(RuntimeLayerError, match="it repeats the token"):
        async for _ in watch.watch(Selection(Pod.resource), "1", timeout_seconds=10, inactivity_seconds=10):
            pass
