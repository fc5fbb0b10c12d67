"""Paths in the volumes of pods: none may lead out of its volume, and what is said of it is what a real server says."""

import json

import pytest

from tests.conformance.api import Api, Json
from tests.conformance.objects import core, pod

_RELATIVE, _BACKSTEPS, _RESERVED = "must be a relative path", "must not contain '..'", "must not start with '..'"
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def _items(path: str, **more: int) -> Json:
    return {"items": [{"key": "k", "path": path, **more}]}


def _downward(path: str) -> Json:
    return {"items": [{"path": path, "fieldRef": {"fieldPath": "metadata.name"}}]}


@pytest.mark.parametrize("path", ["a", "a/b", "a//b", ".", "./a", "a/..b", "x" * 300])
def test_a_path_in_a_volume(api: Api, namespace: str, path: str) -> None:
    volumes = [
        {"name": "a", "configMap": {"name": "x", **_items(path, mode=0o777)}},
        {"name": "b", "secret": {"secretName": "../x", "defaultMode": 0, **_items(path)}},
        {"name": "c", "downwardAPI": _downward(path)},
        {"name": "d", "hostPath": {"path": path}},
    ]
    mounts = [{"name": "d", "mountPath": "/a/../m", "subPath": path}]
    mounts.append({"name": "d", "mountPath": "n", "subPathExpr": path})
    containers = [{"name": "main", "image": "x", "workingDir": "../x", "volumeMounts": mounts}]
    api.post(core(namespace, "pods"), pod("a", {"volumes": volumes, "containers": containers}), dryRun="All")


@pytest.mark.parametrize(
    ("source", "field", "says"),
    [
        ({"configMap": {"name": "x", **_items("../a")}}, "configMap.items[0].path", _BACKSTEPS),
        ({"configMap": {"name": "x", **_items("a/..")}}, "configMap.items[0].path", _BACKSTEPS),
        ({"configMap": {"name": "x", **_items("/a")}}, "configMap.items[0].path", _RELATIVE),
        ({"configMap": {"name": "x", **_items("..a")}}, "configMap.items[0].path", _RESERVED),
        ({"configMap": {"name": "x", **_items("..")}}, "configMap.items[0].path", (_BACKSTEPS, _RESERVED)),
        ({"configMap": {"name": "x", **_items("a", mode=512)}}, "configMap.items[0].mode", _MODE),
        ({"configMap": {"name": "x", "defaultMode": -1}}, "configMap.defaultMode", _MODE),
        ({"secret": {"secretName": "x", **_items("../a")}}, "secret.items[0].path", _BACKSTEPS),
        ({"secret": {"secretName": "x", "defaultMode": 512}}, "secret.defaultMode", _MODE),
        ({"downwardAPI": _downward("../a")}, "downwardAPI.path", _BACKSTEPS),
        ({"downwardAPI": _downward("/a")}, "downwardAPI.path", _RELATIVE),
        ({"hostPath": {"path": "/a/../b"}}, "hostPath.path", _BACKSTEPS),
        ({"hostPath": {"path": ".."}}, "hostPath.path", _BACKSTEPS),
    ],
)
def test_a_path_that_leads_out_of_a_volume(
    api: Api, namespace: str, source: Json, field: str, says: str | tuple[str, ...]
) -> None:
    _refused(api, namespace, {"volumes": [{"name": "v", **source}]}, f"spec.volumes[0].{field}", says)


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"configMap": {"name": "x", **_items("../a")}}, "sources[0].configMap.items[0].path"),
        ({"secret": {"name": "x", **_items("../a")}}, "sources[0].secret.items[0].path"),
        ({"downwardAPI": _downward("../a")}, "sources[0].downwardAPI.path"),
        ({"serviceAccountToken": {"path": "../a"}}, "path"),
    ],
)
def test_a_path_that_leads_out_of_a_projected_volume(api: Api, namespace: str, source: Json, field: str) -> None:
    volume = {"name": "v", "projected": {"sources": [source]}}
    spec = {"volumes": [volume], "serviceAccountName": "default"}
    _refused(api, namespace, spec, f"spec.volumes[0].projected.{field}", _BACKSTEPS)


@pytest.mark.parametrize(
    ("mount", "field", "says"),
    [
        ({"subPath": "/a"}, "volumeMounts.subPath", _RELATIVE),
        ({"subPath": "../a"}, "volumeMounts.subPath", _BACKSTEPS),
        ({"subPathExpr": "/a"}, "volumeMounts.subPathExpr", _RELATIVE),
        ({"subPathExpr": "a/../b"}, "volumeMounts.subPathExpr", _BACKSTEPS),
        (
            {"subPath": "a", "subPathExpr": "b"},
            "volumeMounts[0].subPathExpr",
            "subPathExpr and subPath are mutually exclusive",
        ),
    ],
)
def test_a_mount_that_leads_out_of_its_volume(api: Api, namespace: str, mount: Json, field: str, says: str) -> None:
    containers = [{"name": "main", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/m", **mount}]}]
    spec = {"volumes": [{"name": "v", "emptyDir": {}}], "containers": containers}
    _refused(api, namespace, spec, f"spec.containers[0].{field}", says)


def test_a_host_path_of_an_unknown_type(api: Api, namespace: str) -> None:
    volume = {"name": "v", "hostPath": {"path": "/a", "type": "Nonsense"}}
    kinds = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
    says = f"supported values: {', '.join(map(json.dumps, kinds))}"
    _refused(api, namespace, {"volumes": [volume]}, "spec.volumes[0].hostPath.type", says)


def _refused(api: Api, namespace: str, spec: Json, field: str, says: str | tuple[str, ...]) -> None:
    """It is refused for this field, with messages that end so."""
    status = api.refused(422, "Invalid", "POST", core(namespace, "pods"), pod("a", spec))
    messages = [cause["message"] for cause in status["details"]["causes"] if cause["field"] == field]
    wanted = (says,) if isinstance(says, str) else says
    assert [message.split(": ", 2)[-1] for message in messages] == list(wanted), status
