"""The earlier templates of a workload, which ControllerRevisions keep for ``kubectl rollout history`` and ``undo``.

Follows k8s.io/kubernetes/pkg/controller/history. Simpler than there: two templates with the same hash are the same.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final, Protocol

from fake_dra_driver.api.kube.meta import UID, NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.cluster.controllers.podcontrol import BY_CONTROLLER, template_hash
from fake_dra_driver.cluster.workloadkinds import ControllerRevision, PodTemplateSpec
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.client import Client

__all__ = ["REVISION_HASH", "Revisions", "template_of"]

REVISION_HASH: Final = "controller-revision-hash"
"""Label of pods, and of the revisions of DaemonSets."""


class _Owner(Protocol):
    @property
    def uid(self) -> UID: ...
    @property
    def key(self) -> NamespacedName: ...


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
        self._hash_label = hash_label

    def of(self, owner: _Owner) -> Sequence[ControllerRevision]:
        """The workload's revisions, the oldest first."""
        return sorted(self._known.by_index(BY_CONTROLLER, owner.uid), key=lambda each: each.revision)

    async def current(self, owner: _Owner, reference: OwnerReference, template: PodTemplateSpec) -> ControllerRevision:
        """The revision of this template, which is the latest from now on. Raises what the client's calls raise.

        Args:
            owner: the workload.
            reference: to it.
            template: of its pods.
        """
        wire = template.to_wire()
        hashed, known = template_hash(wire), self.of(owner)
        latest = known[-1].revision if known else 0
        present = next((each for each in known if each.metadata.labels.get(self._hash_label) == hashed), None)
        if present is None:
            metadata = ObjectMeta(
                name=f"{owner.key.name}-{hashed}",
                namespace=owner.key.namespace,
                labels={**template.metadata.labels, self._hash_label: hashed},
                owner_references=(reference,),
            )
            data: dict[str, Any] = {"spec": {"template": {**wire, "$patch": "replace"}}}
            return await self._client.create(ControllerRevision(metadata=metadata, data=data, revision=latest + 1))
        if present.revision < latest:
            return await self._client.update(present.model_copy(update={"revision": latest + 1}))
        return present

    async def forget(self, owner: _Owner, used: Collection[str | None], limit: int) -> None:
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
