"""The earlier templates of a workload, which ControllerRevisions keep for ``kubectl rollout history`` and ``undo``.

Follows k8s.io/kubernetes/pkg/controller/history. Other than there, each workload has revisions of its own: one of
another workload with the same name, such as a DaemonSet that is called like a StatefulSet, is never shared.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Protocol

from fake_dra_driver.api.kube.meta import KubeObject, ObjectMeta
from fake_dra_driver.cluster.controllers.adoption import Adoption
from fake_dra_driver.cluster.controllers.podcontrol import BY_CONTROLLER, template_hash
from fake_dra_driver.cluster.owners import controlled_by, is_controlled_by
from fake_dra_driver.cluster.workloadkinds import ControllerRevision, LabelSelector, PodTemplateSpec
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import AlreadyExistsError

__all__ = ["REVISION_HASH", "Revisions", "template_of"]

REVISION_HASH: Final = "controller-revision-hash"
"""Label of pods, and of the revisions of DaemonSets."""


class _Spec(Protocol):
    @property
    def selector(self) -> LabelSelector: ...
    @property
    def template(self) -> PodTemplateSpec: ...


class Revisions:
    """The revisions of all workloads of a kind.

    Args:
        client: writes.
        known: all ControllerRevisions, indexed by ``BY_CONTROLLER``.
        hash_label: the label of a revision that has the hash of its template.
    """

    def __init__(self, client: Client, known: Informer[ControllerRevision], hash_label: str = REVISION_HASH) -> None:
        self._client = client
        self._known = known
        self._adoption = Adoption(client, ControllerRevision, known)
        self._hash_label = hash_label

    def of(self, owner: KubeObject) -> Sequence[ControllerRevision]:
        """The workload's revisions, the oldest first."""
        return sorted(self._known.by_index(BY_CONTROLLER, owner.uid), key=lambda each: each.revision)

    async def current(self, owner: KubeObject, spec: _Spec) -> ControllerRevision:
        """The revision of the template, which is the latest from now on. Raises what the client's calls raise.

        Args:
            owner: the workload.
            spec: its spec.
        """
        await self._adoption.adopt(owner, spec, lambda each: self._hash_label in each.metadata.labels)
        wire = spec.template.to_wire()
        data: dict[str, Any] = {"spec": {"template": {**wire, "$patch": "replace"}}}
        known = self.of(owner)
        latest = known[-1].revision if known else 0
        present = next((each for each in reversed(known) if each.data == data), None)
        if present is None:
            return await self._create(owner, wire, data, latest + 1)
        if present.revision < latest:
            return await self._client.update(present.model_copy(update={"revision": latest + 1}))
        return present

    async def _create(
        self, owner: KubeObject, template: Mapping[str, Any], data: Mapping[str, Any], number: int
    ) -> ControllerRevision:
        """Creates a revision under the first name that is free."""
        collisions = 0
        while True:
            hashed = template_hash(template, collisions)
            metadata = ObjectMeta(
                name=f"{owner.key.name}-{hashed}",
                namespace=owner.key.namespace,
                labels={**template["metadata"].get("labels", {}), self._hash_label: hashed},
                owner_references=(controlled_by(owner),),
            )
            revision = ControllerRevision(metadata=metadata, data=data, revision=number)
            try:
                return await self._client.create(revision)
            except AlreadyExistsError:
                found = await self._client.get(ControllerRevision, revision.key)
                if is_controlled_by(found, owner.uid) and found.data == data:
                    return found  # which the cache does not have yet
                collisions += 1

    async def forget(self, owner: KubeObject, used: Collection[str | None], limit: int) -> None:
        """Deletes the oldest revisions beyond a number. Raises what the client's calls raise.

        Args:
            owner: the workload.
            used: names and hashes of those that stay in any case.
            limit: how many others stay.
        """
        idle = [
            each
            for each in self.of(owner)
            if not {each.metadata.name, each.metadata.labels.get(self._hash_label)} & set(used) and not each.is_deleting
        ]
        for each in idle[: max(len(idle) - limit, 0)]:
            await self._client.delete(ControllerRevision, each.key, uid=each.uid)


def template_of(revision: ControllerRevision) -> PodTemplateSpec:
    """The template that a revision keeps."""
    template = {name: value for name, value in revision.data["spec"]["template"].items() if name != "$patch"}
    return PodTemplateSpec.model_validate(template)
