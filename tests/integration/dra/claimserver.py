"""Claims on a real API server, allocated as the scheduler does it, and a node's service account."""

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ResourceKind
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.runtime.client import Client
from tests.support.apiserver import ApiServer

DRIVER: Final = "lamps.example.com"
OTHER_DRIVER: Final = "fans.example.com"
NODE: Final = "study"
RBAC: Final = "rbac.authorization.k8s.io"


_CLAIMS: Final = {"group": v1.GROUP, "resource": "resourceclaims", "namespace": "default"}


class SubjectAccessReview(KubeObject):
    """Whether a user may do something: the answer to its creation says it."""

    resource = ResourceKind(
        "authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", namespaced=False
    )

    spec: Mapping[str, Any]
    status: Mapping[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class ClaimServer:
    """A namespace of a real API server, for claims."""

    server: ApiServer
    client: Client
    api: ResourceApi
    namespace: str

    async def create(self, name: str, *config: dict[str, Any]) -> v1.ResourceClaim:
        """A claim with two requests."""
        exactly = {"deviceClassName": "lamps"}
        requests = [{"name": name, "exactly": exactly} for name in ("lamp", "fan")]
        wanted = {
            "metadata": {"namespace": self.namespace, "name": name, "finalizers": [v1.CLAIM_FINALIZER]},
            "spec": {"devices": {"requests": requests, "config": list(config)}},
        }
        return await self.client.create(self.api.claims.model_validate(wanted))

    async def allocate(self, name: str, *, node: str = NODE, devices: Sequence[str] = ("lamp-0",)) -> NodeClaim:
        """Allocates a claim, to a pod; the fan of another driver comes with it."""
        claim = await self.read(name)
        results = [{"request": "lamp", "driver": DRIVER, "pool": node, "device": device} for device in devices]
        results.append({"request": "fan", "driver": OTHER_DRIVER, "pool": node, "device": "fan-0"})
        terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
        copied = [{**entry.to_wire(), "source": "FromClaim"} for entry in claim.spec.devices.config]
        allocation = {
            "devices": {"results": results, "config": copied},
            "nodeSelector": {"nodeSelectorTerms": terms},
        }
        status = {"allocation": allocation, "reservedFor": [{"resource": "pods", "name": "pod", "uid": "1"}]}
        changed = claim.model_copy(update={"status": v1.ResourceClaimStatus.model_validate(status)})
        allocated = await self.client.update_status(changed)
        return NodeClaim(self.namespace, name, allocated.uid)

    async def deallocate(self, name: str) -> None:
        """As the controller manager does when no pod uses the claim any more."""
        await self.client.merge_patch(
            self.api.claims,
            NamespacedName(self.namespace, name),
            {"status": {"allocation": None, "reservedFor": None}},
            subresource="status",
        )

    async def read(self, name: str) -> v1.ResourceClaim:
        return await self.client.get(self.api.claims, NamespacedName(self.namespace, name))

    async def devices(self, name: str) -> Sequence[str]:
        """Whose entries are in the status of a claim."""
        return [f"{each.driver}/{each.device}" for each in (await self.read(name)).status.devices]

    async def account(self, folder: Path, *rules: tuple[str, Sequence[str]], node: str = "") -> Client:
        """A client of a service account.

        Args:
            folder: for its kubeconfig.
            rules: resource and verbs, all that it may do beside reading claims.
            node: which its token is bound to, as that of a pod on it; empty: none.
        """
        name = f"account-{uuid.uuid4().hex[:8]}"
        # Only for the driver's own name, where that means something.
        named = {"resourceclaims/driver": {"resourceNames": [DRIVER]}}
        role = {
            "rules": [
                {"apiGroups": [v1.GROUP], "resources": [resource], "verbs": list(verbs), **named.get(resource, {})}
                for resource, verbs in (("resourceclaims", ["get"]), *rules)
            ]
        }
        binding = {
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": self.namespace}],
        }
        await self._apply("v1", "ServiceAccount", {"metadata": {"name": name, "namespace": self.namespace}})
        await self._apply("v1", "Node", {"metadata": {"name": node or "unused"}})
        await self._apply(f"{RBAC}/v1", "ClusterRole", {"metadata": {"name": name}, **role})
        await self._apply(f"{RBAC}/v1", "ClusterRoleBinding", {"metadata": {"name": name}, **binding})
        bound = ["--bound-object-kind=Node", f"--bound-object-name={node}"] if node else []
        await self._wait_until_bound(f"system:serviceaccount:{self.namespace}:{name}")
        token = await self._kubectl("create", "token", name, f"--namespace={self.namespace}", *bound)
        kubeconfig = folder / "account-kubeconfig"
        await asyncio.to_thread(kubeconfig.write_text, self.server.kubeconfig_for(token.strip()))
        return await Client.connect(kubeconfig=str(kubeconfig), user_agent="test")

    async def _wait_until_bound(self, user: str) -> None:
        """Returns once the API server's own cache has the role and its binding."""
        async with asyncio.timeout(30):
            while True:
                review = {"spec": {"user": user, "resourceAttributes": {"verb": "get", **_CLAIMS}}}
                answer = await self.client.create(SubjectAccessReview.model_validate(review))
                if answer.status.get("allowed"):
                    return

    async def _apply(self, version: str, kind: str, rest: dict[str, Any]) -> None:
        text = json.dumps({"apiVersion": version, "kind": kind, **rest})
        await asyncio.to_thread(self.server.kubectl, "apply", "--filename=-", stdin=text)

    async def _kubectl(self, *arguments: str) -> str:
        return await asyncio.to_thread(self.server.kubectl, *arguments)
