"""A cluster as a whole: starts, takes manifests, ends, and leaves nothing behind."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster import Cluster, ClusterError
from fake_dra_driver.cluster.documents import DocumentError, read_documents
from fake_dra_driver.cluster.kinds import CustomResourceDefinition, Namespace, Pod
from fake_dra_driver.runtime.errors import InvalidError
from tests.unit.cluster.manifest import NAMESPACE


async def test_only_its_owner_may_look_into_its_folder(cluster: Cluster) -> None:
    assert stat.S_IMODE((await asyncio.to_thread(os.stat, cluster.folder)).st_mode) == 0o700
    assert stat.S_IMODE((await asyncio.to_thread(os.stat, cluster.kubeconfig)).st_mode) == 0o600


async def test_nothing_is_left() -> None:
    async with Cluster() as cluster:
        folder = cluster.folder
    assert not await asyncio.to_thread(folder.exists)
    with pytest.raises(ClusterError, match="does not run"):
        _ = cluster.folder


async def test_a_given_folder_stays(tmp_path: Path) -> None:
    async with Cluster(folder=tmp_path) as cluster:
        assert cluster.kubeconfig.parent == tmp_path
    assert await asyncio.to_thread(tmp_path.is_dir)


@pytest.mark.parametrize("static_nodes", [False, True])
async def test_nodes_without_a_kubelet_are_looked_after_unless_they_are_to_stay(*, static_nodes: bool) -> None:
    async with Cluster(static_nodes=static_nodes) as cluster:
        names = await cluster.wait_until("the controllers run", _controllers)
    assert ("controller-node-lifecycle" in names) is not static_nodes


async def _controllers() -> set[str]:
    """Names of the tasks of all controllers, once those of the controller manager run."""
    names = {task.get_name() for task in asyncio.all_tasks()}
    return names if "controller-daemonset" in names else set()


async def test_a_port_in_use(cluster: Cluster) -> None:
    port = int(cluster.server.url.rpartition(":")[2])
    second = Cluster(port=port)
    problem = rf"Port {port} of this machine cannot be listened on \(Address already in use\)\. Choose another one"
    with pytest.raises(ClusterError, match=problem):
        await second.__aenter__()
    with pytest.raises(ClusterError, match="does not run"):
        _ = second.folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kubernetes_version": "1.99"}, "known releases: "),
        ({"nodes": ("a", "a")}, "two nodes have the same name"),
    ],
)
def test_what_cannot_be_started(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        Cluster(**arguments)  # type: ignore[arg-type] # parametrized


async def test_files_and_texts_are_applied_again_and_again(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"---\n{NAMESPACE}---\n# nothing\n")
    labelled = NAMESPACE.replace("name: a", "name: a, labels: {k: v}")
    for _ in range(2):
        await cluster.apply(file, labelled)
    namespace = await cluster.client.get(Namespace, NamespacedName("", "a"))
    assert namespace.metadata.labels["k"] == "v"


async def test_a_crd_serves_its_kind_at_once(cluster: Cluster) -> None:
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"size": {"type": "integer"}}}},
                }
            ],
        },
    }
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}, "size": 1}
    with pytest.raises(ClusterError, match=r"does not serve the kind Thing in example.com/v1, of the object"):
        await cluster.apply(thing)
    await cluster.apply(crd, thing)
    with pytest.raises(InvalidError, match="size"):
        await cluster.apply({**thing, "size": "large"})
    await cluster.delete(thing, thing, crd)
    assert (await cluster.client.list(CustomResourceDefinition)).items == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "the text is not YAML: .*line 1"),
        ("- a", r"document 1 of the text is not a Kubernetes object, but \['a'\]"),
        ("---\n---\nkind: Pod", "document 2 of the text .*: apiVersion and metadata.name must be set"),
        ("kind: Pod\napiVersion: v1\nmetadata: []", "metadata.name must be set"),
    ],
)
def test_what_is_no_manifest(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read_documents(text)


POD_IN_A_NEW_NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata: {name: new}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: new}
spec:
  restartPolicy: Never
  containers:
    - name: main
      image: busybox
      command: [cat, /var/run/secrets/kubernetes.io/serviceaccount/ca.crt]
"""


async def test_a_pod_runs_with_its_token_as_soon_as_its_namespace_is_there(cluster: Cluster) -> None:
    """Its service account and the certificate are made meanwhile."""
    await cluster.apply(POD_IN_A_NEW_NAMESPACE)

    async def pod() -> Pod:
        return await cluster.client.get(Pod, NamespacedName("new", "p"))

    async def has_ended() -> bool:
        return (await pod()).status.phase in ("Succeeded", "Failed")

    await cluster.wait_until("the pod has ended", has_ended)
    found = await pod()
    assert (found.status.phase, found.spec.service_account_name) == ("Succeeded", "default")
