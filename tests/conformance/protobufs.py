"""Objects sent and read as protobuf: the same as in JSON, whichever way they go."""

from collections.abc import Mapping
from typing import Any

import yaml

from fake_dra_driver.cluster.apiserver.http.protobuf.envelope import decode_protobuf, encode_protobuf
from fake_dra_driver.cluster.apiserver.types.decode import decode_builtin
from fake_dra_driver.cluster.apiserver.types.objecttype import TypeRegistry
from fake_dra_driver.kubeproto.messages import message_type
from tests.conformance.api import Api, Json

__all__ = ["PROTOBUF", "Message", "decoded", "events", "made_each_way", "manifests"]

PROTOBUF = "application/vnd.kubernetes.protobuf"
Message = tuple[str, Json]
"""A path that objects are created at, and one."""


def manifests(text: str) -> Mapping[str, Message]:
    """By kind: what is in documents of ``path`` and ``manifest``."""
    documents = [each for each in yaml.safe_load_all(text) if each]
    return {each["manifest"]["kind"]: (each["path"], each["manifest"]) for each in documents}


def decoded(raw: bytes, release: str) -> Json:
    """The object in a body, as JSON has it: without the zeros that Go leaves out there."""
    return _plain(decode_protobuf(raw, ""), release)


def made_each_way(api: Api, path: str, manifest: Json, release: str) -> Mapping[str, Json]:
    """The object that a server makes of JSON and of protobuf, answered in either: by how it was sent and answered."""
    raw = encode_protobuf(manifest)
    assert raw is not None
    found = {}
    for sent, body, content_type in (("JSON", manifest, "application/json"), ("protobuf", raw, PROTOBUF)):
        for accept in ("application/json", PROTOBUF):
            answer = api.call("POST", path, body, content_type=content_type, accept=accept, dryRun="All")
            assert answer.status_code == 201, answer.text
            assert answer.headers["Content-Type"] == accept
            made = decoded(answer.content, release) if accept == PROTOBUF else _plain(answer.json(), release)
            found[f"{sent} -> {accept}"] = _stable(made)
    return found


def events(raw: bytes, release: str) -> list[tuple[str, Json]]:
    """The events of a watch: type and object."""
    machinery, found = "k8s.io.apimachinery.pkg", []
    while raw:
        size = int.from_bytes(raw[:4], "big")
        event: Any = message_type(f"{machinery}.apis.meta.v1.WatchEvent").make.FromString(raw[4 : 4 + size])
        inner: Any = message_type(f"{machinery}.runtime.RawExtension").make.FromString(event.object)
        found.append((event.type, decoded(inner.raw, release)))
        raw = raw[4 + size :]
    return found


def _plain(obj: Json, release: str) -> Json:
    types = TypeRegistry.load(release)
    group, _, version = obj["apiVersion"].rpartition("/")
    return decode_builtin(obj, types.named(types.name_of(group, version, obj["kind"])), obj["kind"], version)[0]


def _stable(obj: Json) -> Json:
    """The object without what is another each time that it is made."""
    metadata = obj["metadata"]
    for name in ("uid", "creationTimestamp"):
        metadata.pop(name, None)
    for entry in metadata.get("managedFields", ()):
        entry["time"] = ""
    _drop_random_names(obj)
    return obj


def _drop_random_names(obj: Any) -> None:
    spec = obj.get("spec") or {}
    for name in ("clusterIP", "clusterIPs"):
        spec.pop(name, None)
    if obj["kind"] == "Pod":
        # The volume with a ServiceAccount's token.
        spec["volumes"] = [each for each in spec["volumes"] if not each["name"].startswith("kube-api-access")]
        for container in spec["containers"]:
            container.pop("volumeMounts", None)
