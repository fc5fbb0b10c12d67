"""Protobuf, which programs in Go send and ask for: the same objects, and the same refusals, as in JSON."""

import pytest

from fake_dra_driver.cluster.apiserver.http.protobuf.envelope import decode_protobuf, encode_protobuf
from tests.conformance.api import Api, Json
from tests.conformance.objects import config_map, core, deployment, pod, widget
from tests.conformance.protobufs import PROTOBUF, decoded, events
from tests.support.protobufbody import enveloped, field

_RELEASE = "1.30"
_META = "application/vnd.kubernetes.protobuf;as={form};g=meta.k8s.io;v=v1"


def encoded(obj: Json) -> bytes:
    raw = encode_protobuf(obj)
    assert raw is not None
    return raw


def decoded_list(raw: bytes) -> Json:
    """A list, as it was sent: with zeros."""
    return decode_protobuf(raw, "")


@pytest.fixture
def maps(api: Api, namespace: str) -> str:
    """The path of some ConfigMaps."""
    path = core(namespace, "configmaps")
    for name in ("a", "b"):
        api.post(path, config_map(name, {"k": name}))
    return path


def test_an_object_that_was_read_is_replaced(api: Api, maps: str) -> None:
    found = decoded(api.call("GET", f"{maps}/a", accept=PROTOBUF).content, _RELEASE)
    found["data"]["k"] = "new"
    answer = api.call("PUT", f"{maps}/a", encoded(found), content_type=PROTOBUF)
    assert (answer.status_code, answer.json()["data"]) == (200, {"k": "new"})
    again = api.call("PUT", f"{maps}/a", encoded(found), content_type=PROTOBUF)
    assert (again.status_code, again.json()["reason"]) == (409, "Conflict")


def test_a_list(api: Api, maps: str) -> None:
    found = api.call("GET", maps, accept=PROTOBUF, labelSelector="", limit=1)
    listed = decoded_list(found.content)
    assert (listed["kind"], [each["metadata"]["name"] for each in listed["items"]]) == ("ConfigMapList", ["a"])
    assert listed["metadata"]["remainingItemCount"] == 1
    assert listed["metadata"]["continue"]


def test_a_watch(api: Api, maps: str) -> None:
    answer = api.call("GET", maps, accept=PROTOBUF, watch="true", timeoutSeconds=1)
    assert answer.headers["Content-Type"] == f"{PROTOBUF};stream=watch"
    expected = [("ADDED", api.get(f"{maps}/{name}")) for name in ("a", "b")]
    assert events(answer.content, _RELEASE) == expected


def test_metadata_alone(api: Api, maps: str) -> None:
    answer = api.call("GET", f"{maps}/a", accept=_META.format(form="PartialObjectMetadata"))
    assert answer.headers["Content-Type"] == PROTOBUF
    found = decoded_list(answer.content)
    assert (found["kind"], found["metadata"]["name"]) == ("PartialObjectMetadata", "a")


@pytest.mark.parametrize("accept", [_META.format(form="Table"), "application/vnd.kubernetes.protobuf;as=Nothing"])
def test_what_protobuf_has_no_message_for(api: Api, maps: str, accept: str) -> None:
    answer = api.call("GET", f"{maps}/a", accept=accept)
    assert (answer.status_code, answer.json()["reason"]) == (406, "NotAcceptable")


def test_a_refusal(api: Api, maps: str) -> None:
    answer = api.call("GET", f"{maps}/c", accept=PROTOBUF)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROTOBUF)
    status = decoded(answer.content, _RELEASE)
    assert (status["kind"], status["reason"], status["details"]["kind"]) == ("Status", "NotFound", "configmaps")


def test_options_of_a_deletion(api: Api, maps: str) -> None:
    options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "other"}}
    answer = api.call("DELETE", f"{maps}/a", encoded(options), content_type=PROTOBUF)
    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")
    dry = {**options, "dryRun": ["All"], "preconditions": None, "propagationPolicy": "Background"}
    assert api.call("DELETE", f"{maps}/a", encoded(dry), content_type=PROTOBUF).status_code == 200
    assert api.get(f"{maps}/a")["data"] == {"k": "a"}


def test_subresources(api: Api, namespace: str) -> None:
    path = core(namespace, "pods")
    api.post(core(namespace, "serviceaccounts"), {"metadata": {"name": "default"}}, code=201)
    api.post(path, pod("p"))
    name: Json = {"metadata": {"name": "p"}}
    binding = {"apiVersion": "v1", "kind": "Binding", **name, "target": {"kind": "Node", "name": "n"}}
    assert api.call("POST", f"{path}/p/binding", encoded(binding), content_type=PROTOBUF).status_code == 201
    assert api.get(f"{path}/p")["spec"]["nodeName"] == "n"
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    made = api.call(
        "POST", core(namespace, "serviceaccounts", "default/token"), encoded(token),
        content_type=PROTOBUF, accept=PROTOBUF,
    )  # fmt: skip
    assert decoded(made.content, _RELEASE)["status"]["token"].count(".") == 2
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", **name, "deleteOptions": {"gracePeriodSeconds": 0}}
    assert api.call("POST", f"{path}/p/eviction", encoded(eviction), content_type=PROTOBUF).status_code == 201
    api.gone(f"{path}/p")


def test_scale(api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api.post(path, deployment("d"))
    found = decoded(api.call("GET", f"{path}/d/scale", accept=PROTOBUF).content, _RELEASE)
    assert (found["kind"], found["spec"]) == ("Scale", {"replicas": 1})
    found["spec"]["replicas"] = 3
    assert api.call("PUT", f"{path}/d/scale", encoded(found), content_type=PROTOBUF).status_code == 200
    assert api.get(f"{path}/d")["spec"]["replicas"] == 3


def test_discovery(api: Api) -> None:
    for path, kind in (("/api", "APIVersions"), ("/apis", "APIGroupList"), ("/apis/apps/v1", "APIResourceList")):
        answer = api.call("GET", path, accept=PROTOBUF)
        assert (answer.headers["Content-Type"], decoded_list(answer.content)["kind"]) == (PROTOBUF, kind)


_NO_OBJECT = "the object provided is unrecognized (must be of type ConfigMap): "
_NO_KIND = 'cannot be handled as a ConfigMap: no kind "{kind}" is registered for version "{version}" in scheme'


@pytest.mark.parametrize(
    ("raw", "code", "said"),
    [
        (b"", 400, f"{_NO_OBJECT}empty data (<empty>)"),
        (b"k8s\0", 400, f"{_NO_OBJECT}empty body (6b387300)"),
        (
            b"{}",
            400,
            f"{_NO_OBJECT}provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] (",
        ),
        (enveloped("v1", "Map", b""), 400, f'Map in version "v1" {_NO_KIND.format(kind="Map", version="v1")}'),
        (enveloped("v2", "ConfigMap", b""), 400, _NO_KIND.format(kind="ConfigMap", version="v2")),
        (enveloped("v1", "Event", b""), 400, "converting (v1.Event) to (core.ConfigMap): unknown conversion"),
        (enveloped("v1", "ConfigMap", b""), 422, "metadata.name: Required value: name or generateName is required"),
        (
            enveloped("v1", "ConfigMap", field(1, field(1, b"No_Name"))),
            422,
            'metadata.name: Invalid value: "No_Name": ',
        ),
    ],
)
def test_what_is_refused(api: Api, maps: str, raw: bytes, code: int, said: str) -> None:
    answer = api.call("POST", maps, raw, content_type=PROTOBUF)
    assert (answer.status_code, said in answer.json()["message"]) == (code, True), answer.text


def test_what_is_cut_short(api: Api, maps: str) -> None:
    answer = api.call("POST", maps, enveloped("v1", "ConfigMap", b"\x0a\x05ab"), content_type=PROTOBUF)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith('ConfigMap in version "v1" cannot be handled as a ConfigMap: ')


def test_a_body_that_does_not_say_what_it_is(api: Api, maps: str) -> None:
    raw = b"k8s\0" + field(2, field(1, field(1, b"c")))
    assert api.call("POST", maps, raw, content_type=PROTOBUF).status_code == 201


def test_fields_that_are_not_known(api: Api, maps: str) -> None:
    """Go passes over them, however strictly a client wants them to be judged."""
    raw = enveloped("v1", "ConfigMap", field(1, field(1, b"c") + field(99, b"x")) + field(88, b""))
    assert api.call("POST", maps, raw, content_type=PROTOBUF, fieldValidation="Strict").status_code == 201


def test_custom_kinds_have_no_protobuf(api: Api, widgets: str) -> None:
    api.post(widgets, widget("a"))
    for path in (f"{widgets}/a", widgets, f"{widgets}?watch=true&timeoutSeconds=1"):
        answer = api.call("GET", path, accept=PROTOBUF)
        assert answer.status_code == 406, answer.content
