"""Verbs of the project's client that only a cluster's own parts use: actions, finalize, grace periods."""

from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.kinds import Namespace, NamespaceSpec, Pod
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import ConflictError, NotFoundError

KEY = NamespacedName("default", "p")


async def create_pod(client: Client, **spec: Any) -> Pod:
    wire = {"metadata": {"name": KEY.name, "namespace": KEY.namespace}}
    containers = [{"name": "c", "image": "busybox"}]
    return await client.create(Pod.from_wire({**wire, "spec": {"containers": containers, **spec}}))


async def test_a_pod_is_bound_once(client: Client) -> None:
    pod = await create_pod(client)
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "node-0"}}
    answer = await client.create_subresource(Pod, pod.key, "binding", binding)
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert (await client.get(Pod, pod.key)).spec.node_name == "node-0"
    with pytest.raises(ConflictError):
        await client.create_subresource(Pod, pod.key, "binding", binding)


async def test_no_grace_period_removes_a_pod_at_once(client: Client) -> None:
    pod = await create_pod(client, nodeName="node-0", terminationGracePeriodSeconds=17)
    await client.delete(Pod, pod.key)
    wire = (await client.get(Pod, pod.key)).to_wire()
    assert wire["metadata"]["deletionGracePeriodSeconds"] == 17
    await client.delete(Pod, pod.key, grace_period_seconds=0)
    with pytest.raises(NotFoundError):
        await client.get(Pod, pod.key)


async def test_a_namespace_goes_once_its_finalizer_is_taken_off(client: Client) -> None:
    namespace = await client.create(Namespace.from_wire({"metadata": {"name": "n"}}))
    await client.delete(Namespace, namespace.key)
    deleted = await client.get(Namespace, namespace.key)
    assert (deleted.status.phase, deleted.spec.finalizers) == ("Terminating", ("kubernetes",))
    await client.update(deleted.model_copy(update={"spec": NamespaceSpec(finalizers=())}), subresource="finalize")
    with pytest.raises(NotFoundError):
        await client.get(Namespace, namespace.key)


async def test_a_namespace_that_was_deleted_stays_in_the_cache_until_it_has_gone() -> None:
    client = ApiServer().client("test")
    namespaces = Cache(client).informer(Namespace)
    namespace = await client.create(Namespace.from_wire({"metadata": {"name": "n"}}))
    await client.delete(Namespace, namespace.key)
    deleted = namespaces.get(namespace.key)
    assert deleted is not None
    assert deleted.is_deleting
    await client.update(deleted.model_copy(update={"spec": NamespaceSpec(finalizers=())}), subresource="finalize")
    assert namespaces.get(namespace.key) is None
