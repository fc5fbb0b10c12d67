"""API servers, embedded ones and a real one, and the clusters of ``tests.support.whycases`` in them."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, TAINT_RULES
from fake_dra_driver.cluster.apiserver import ApiServer as EmbeddedServer
from fake_dra_driver.cluster.kinds import Namespace, Node, Pod, ServiceAccount
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.why.program import ask
from fake_dra_driver.why.report import Report
from tests.support.apiserver import ApiServer
from tests.support.whycases import NAMESPACE, POD, Case, Wire

REAL = "real"
_CORE: dict[str, Any] = {"Node": Node, "Pod": Pod, "Namespace": Namespace}
_V1: dict[str, Any] = {
    each.resource.kind: each
    for each in (v1.ResourceSlice, v1.ResourceClaim, v1.ResourceClaimTemplate, v1.DeviceClass, v1.DeviceTaintRule)
}


def _model(wire: Wire, namespace: str) -> Any:
    """The object, in the test's namespace."""
    metadata = dict(wire["metadata"])
    if metadata.get("namespace") == NAMESPACE:
        metadata["namespace"] = namespace
    return {**_CORE, **_V1}[wire["kind"]].from_wire({**wire, "metadata": metadata})


@dataclass(frozen=True, slots=True)
class Cluster:
    """An API server, and a namespace in it for one test."""

    client: Client
    kinds: dict[str, Any]
    namespace: str

    @classmethod
    async def of(cls, client: Client) -> "Cluster":
        """Makes a namespace."""
        version = (await client.discovery.group(v1.GROUP)).first_of(*RESOURCE_APIS)
        assert version is not None
        api = RESOURCE_APIS[version]
        rules = next((TAINT_RULES[each] for each in TAINT_RULES if each == version), None)
        kinds = {
            **_CORE,
            **{each.resource.kind: each for each in (api.slices, api.claims, api.templates, api.classes)},
            "DeviceTaintRule": rules,
        }
        namespace = f"why-{uuid.uuid4().hex[:8]}"
        await client.create(Namespace(metadata=ObjectMeta(name=namespace)))
        await client.create(ServiceAccount(metadata=ObjectMeta(name="default", namespace=namespace)))
        return cls(client, kinds, namespace)

    async def apply(self, *objects: Wire) -> None:
        """Creates objects, with their status; those of ``resource.k8s.io`` in the version that is served."""
        for wire in objects:
            obj = _model(wire, self.namespace)
            kind = self.kinds[wire["kind"]]
            obj = kind(**{name: getattr(obj, name) for name in obj.model_fields_set})
            created = await self.client.create(obj)
            if isinstance(obj, Node):
                # Admission gives a new node the taint not-ready, which the node lifecycle controller would remove.
                patch = {"spec": {"taints": wire["spec"].get("taints")}}
                await self.client.merge_patch(Node, NamespacedName("", obj.metadata.name), patch)
            if isinstance(obj, v1.ResourceClaim) and obj.status.allocation is not None:
                await self.client.update_status(created.model_copy(update={"status": obj.status}))

    async def empty(self) -> None:
        """Deletes what is in no namespace: an answer is about the whole cluster, and other tests leave things there."""
        for kind in self.kinds.values():
            if kind is not None and kind is not Namespace and not kind.resource.namespaced:
                for obj in (await self.client.list(kind)).items:
                    await self.client.delete(kind, obj.key)

    async def label(self, value: str | None) -> None:
        """Sets the namespace's label for admin access, or removes it."""
        patch = {"metadata": {"labels": {v1.ADMIN_ACCESS_LABEL: value}}}
        await self.client.merge_patch(Namespace, NamespacedName("", self.namespace), patch)

    async def set_up(self, case: Case) -> None:
        """Makes the cluster of a case."""
        if case.admin_label:
            await self.label("true")
        await self.apply(*case.objects)
        if case.admin_label:
            await self.label(None)

    async def why(self, subject: str = POD, **options: Any) -> Report:
        """What is said about the pod."""
        return await ask(self.client, subject, self.namespace, **options)

    async def clean_up(self, *objects: Wire) -> None:
        """Deletes what is in no namespace, which other tests would see."""
        for wire in objects:
            kind = self.kinds[wire["kind"]]
            if not kind.resource.namespaced:
                try:
                    await self.client.delete(kind, NamespacedName("", wire["metadata"]["name"]))
                except RuntimeLayerError:
                    continue  # it was never made


@pytest.fixture
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """An API server: an embedded one of the release that is named, or a real one."""
    if request.param == REAL:
        server: ApiServer = request.getfixturevalue("apiserver")
        client = await Client.connect(kubeconfig=str(server.kubeconfig), user_agent="fake-dra-driver-tests")
        cluster = await Cluster.of(client)
        await cluster.empty()
        yield cluster
        await client.close()
    else:
        yield await Cluster.of(EmbeddedServer(kubernetes_version=request.param).client("tests"))
