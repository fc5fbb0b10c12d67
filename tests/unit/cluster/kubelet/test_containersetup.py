"""What containers find: their environment, and the volumes of their pod."""

import base64
import json
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.kinds import ConfigMap, ServiceAccount
from fake_dra_driver.cluster.kubelet.pod import Pod, Secret
from tests.unit.cluster.kubelet.world import FOREVER, NODE, World, container, pod, status_of


async def test_variables_come_from_the_pod_and_from_what_it_names(node: World) -> None:
    metadata = {"namespace": "default"}
    await node.client.create(
        ConfigMap.from_wire({"metadata": {**metadata, "name": "config"}, "data": {"a": "from config", "B": "b"}})
    )
    await node.client.create(
        Secret.from_wire({"metadata": {**metadata, "name": "secret"}, "data": {"key": "c2VjcmV0"}})
    )
    env = [
        {"name": "PLAIN", "value": "x"},
        {"name": "REFERS", "value": "$(PLAIN)-$(B)-$(UNKNOWN)-$$(PLAIN)"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "CONFIG", "valueFrom": {"configMapKeyRef": {"name": "config", "key": "a"}}},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "key"}}},
        {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "missing", "key": "key", "optional": True}}},
    ]
    manifest = pod(
        "pod0",
        {
            "name": "ctr0",
            "image": "x",
            "command": ["/usr/bin/env"],
            "args": [],
            "env": env,
            "envFrom": [{"configMapRef": {"name": "config"}, "prefix": ""}],
        },
        restartPolicy="Never",
    )
    manifest["metadata"]["labels"] = {"app": "label"}
    await node.create(manifest)
    await node.until_phase("pod0", "Succeeded")
    found = dict(line.split("=", 1) for line in (await node.log("pod0")).splitlines())
    assert {
        name: found.get(name)
        for name in ("PLAIN", "REFERS", "POD", "NODE", "IP", "LABEL", "CONFIG", "SECRET", "NONE", "a", "B")
    } == {
        "PLAIN": "x",
        "REFERS": "x-b-$(UNKNOWN)-$(PLAIN)",
        "POD": "pod0",
        "NODE": NODE,
        "IP": "127.0.0.1",
        "LABEL": "label",
        "CONFIG": "from config",
        "SECRET": "secret",
        "NONE": None,
        "a": "from config",
        "B": "b",
    }
    assert set(found) == {
        "PATH",
        "HOSTNAME",
        "PLAIN",
        "REFERS",
        "POD",
        "NODE",
        "IP",
        "LABEL",
        "CONFIG",
        "SECRET",
        "a",
        "B",
    }


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"secretKeyRef": {"name": "missing", "key": "a"}}, 'secret "missing" not found'),
        ({"configMapKeyRef": {"name": "missing", "key": "a"}}, 'configmap "missing" not found'),
        ({"configMapKeyRef": {"name": "config", "key": "b"}}, "couldn't find key b in ConfigMap default/config"),
        (
            {"resourceFieldRef": {"resource": "limits.cpu"}},
            "a variable from resourceFieldRef is not supported in this cluster",
        ),
    ],
)
async def test_a_variable_that_cannot_be_had_keeps_the_container_waiting(
    node: World, source: dict[str, Any], message: str
) -> None:
    await node.client.create(
        ConfigMap.from_wire({"metadata": {"namespace": "default", "name": "config"}, "data": {"a": "b"}})
    )
    await node.create(pod("pod0", container(FOREVER, env=[{"name": "A", "valueFrom": source}])))
    await node.until_event("pod0", "Failed", f"Error: {message}")
    waiting = await node.until("pod0", lambda pod: pod.status.container_statuses and status_of(pod).state.waiting)
    state = status_of(waiting).state.waiting
    assert state is not None
    assert (state.reason, state.message) == ("CreateContainerConfigError", message)


async def test_paths_in_volumes_are_those_of_the_node(node: World) -> None:
    metadata = {"namespace": "default"}
    await node.client.create(
        ConfigMap.from_wire(
            {"metadata": {**metadata, "name": "config"}, "data": {"a": "1"}, "binaryData": {"b": "Mg=="}}
        )
    )
    await node.client.create(
        Secret.from_wire({"metadata": {**metadata, "name": "secret"}, "data": {"key": "c2VjcmV0"}})
    )
    volumes = [
        {"name": "host", "hostPath": {"path": "/srv/data", "type": "DirectoryOrCreate"}},
        {"name": "empty", "emptyDir": {}},
        {"name": "config", "configMap": {"name": "config"}},
        {"name": "secret", "secret": {"secretName": "secret", "items": [{"key": "key", "path": "sub/file"}]}},
        {"name": "none", "secret": {"secretName": "missing", "optional": True}},
    ]
    mounts = [{"name": name, "mountPath": f"/m/{name}"} for name in ("host", "empty", "config", "secret", "none")]
    mounts.append({"name": "host", "mountPath": "/m/host/below", "subPath": "other"})
    command = ["sh", "-c", 'pwd; for arg; do echo "$arg"; done; cat "$3" "$4"; echo; ls "$5"; echo x > "$FILE"', "sh"]
    args = [
        "/m/host",
        "--dir=/m/host/below/x",
        "/m/config/a",
        "/m/secret/sub/file",
        "/m/none",
        "/m/hostile",
        "in /m/host",
    ]
    spec = {
        "name": "ctr0",
        "image": "x",
        "command": command,
        "args": args,
        "env": [{"name": "FILE", "value": "/m/empty/f"}],
        "volumeMounts": mounts,
        "workingDir": "/m/empty",
    }
    created = await node.create(pod("pod0", spec, volumes=volumes, restartPolicy="Never"))
    await node.until_phase("pod0", "Succeeded")
    folder = node.root / "var/lib/kubelet/pods" / created.uid / "volumes"
    empty = folder / "kubernetes.io~empty-dir/empty"
    assert (await node.log("pod0")).splitlines() == [
        str(empty),
        f"{node.root}/srv/data",
        f"--dir={node.root}/srv/data/other/x",
        str(folder / "kubernetes.io~configmap/config/a"),
        str(folder / "kubernetes.io~secret/secret/sub/file"),
        str(folder / "kubernetes.io~secret/none"),
        "/m/hostile",
        "in /m/host",
        "1secret",
    ]
    assert (empty / "f").read_text() == "x\n"
    assert (folder / "kubernetes.io~configmap/config/b").read_text() == "2"


async def test_a_projected_volume_has_files_of_all_its_sources(node: World) -> None:
    metadata = {"namespace": "default"}
    await node.client.create(ConfigMap.from_wire({"metadata": {**metadata, "name": "ca"}, "data": {"ca.crt": "trust"}}))
    await node.client.create(Secret.from_wire({"metadata": {**metadata, "name": "s"}, "data": {"key": "c2VjcmV0"}}))
    await node.client.create(ServiceAccount.from_wire({"metadata": {**metadata, "name": "own"}}))
    fields = {"namespace": "metadata.namespace", "label": "metadata.labels['app']", "labels": "metadata.labels"}
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"secret": {"name": "s"}},
        {"downwardAPI": {"items": [{"path": name, "fieldRef": {"fieldPath": fields[name]}} for name in fields]}},
    ]
    volumes = [{"name": "all", "projected": {"sources": sources}}]
    mount = {"name": "all", "mountPath": "/m"}
    spec = {"name": "ctr0", "image": "x", "command": ["cat", "/m/ca.crt", "/m/key", "/m/namespace", "/m/label"]}
    body = pod(
        "pod0", {**spec, "volumeMounts": [mount]}, volumes=volumes, restartPolicy="Never", serviceAccountName="own"
    )
    body["metadata"]["labels"] = {"app": "a", "b": "c"}
    created = await node.create(body)
    await node.until_phase("pod0", "Succeeded")
    assert await node.log("pod0") == "trustsecretdefaulta"
    folder = node.root / "var/lib/kubelet/pods" / created.uid / "volumes/kubernetes.io~projected/all"
    assert (folder / "labels").read_text() == 'app="a"\nb="c"'
    token = (folder / "token").read_text()
    body_of_token = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body_of_token + "=" * (-len(body_of_token) % 4)))
    assert claims["sub"] == "system:serviceaccount:default:own"
    assert claims["kubernetes.io"]["pod"] == {"name": "pod0", "uid": created.uid}
    assert claims["kubernetes.io"]["node"] == {"name": NODE}


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        (
            {"hostPath": {"path": "/nowhere", "type": "Directory"}},
            "hostPath type check failed: /nowhere is not a directory of the node",
        ),
        ({"configMap": {"name": "missing"}}, 'configmap "missing" not found'),
        ({"nfs": {"server": "x", "path": "/"}}, "nfs is not supported in this cluster"),
        ({"projected": {"sources": [{"clusterTrustBundle": {"path": "a"}}]}}, "clusterTrustBundle cannot be projected"),
        (
            {"projected": {"sources": [{"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "x.y"}}]}}]}},
            "unsupported fieldPath: x.y",
        ),
    ],
)
async def test_a_volume_that_cannot_be_had_keeps_the_pod_waiting(
    node: World, volume: dict[str, Any], message: str
) -> None:
    await node.create(pod("pod0", volumes=[{"name": "v", **volume}]))
    await node.until_event("pod0", "FailedMount", f'MountVolume.SetUp failed for volume "v": {message}')
    waiting = await node.pod("pod0")
    assert waiting.status.phase == "Pending"
    await node.delete("pod0")
    await node.until_gone("pod0")


async def test_a_host_path_that_is_made_later(node: World) -> None:
    await node.create(pod("pod0", volumes=[{"name": "v", "hostPath": {"path": "/later", "type": "Directory"}}]))
    await node.until_event("pod0", "FailedMount")
    (node.root / "later").mkdir()
    await node.until_ready("pod0")
    await node.client.delete(Pod, NamespacedName("default", "pod0"))
    await node.until_gone("pod0")
    assert (node.root / "later").exists()
