"""Owner references: who controls an object.

Follows k8s.io/apimachinery/pkg/apis/meta/v1/controller_ref.go.
"""

from fake_dra_driver.api.kube.meta import UID, KubeObject, OwnerReference

__all__ = ["controlled_by", "controller_of", "is_controlled_by"]


def controlled_by(owner: KubeObject, *, blocks: bool = True) -> OwnerReference:
    """The reference for an object that ``owner`` has made, manages, and takes with it when it is deleted.

    Args:
        owner: the owner.
        blocks: whether a foreground deletion of the owner waits for the object.
    """
    return OwnerReference(
        api_version=owner.resource.api_version,
        kind=owner.resource.kind,
        name=owner.metadata.name,
        uid=owner.uid,
        controller=True,
        block_owner_deletion=True if blocks else None,
    )


def controller_of(obj: KubeObject) -> OwnerReference | None:
    """The owner that manages the object."""
    return next((each for each in obj.metadata.owner_references if each.controller), None)


def is_controlled_by(obj: KubeObject, uid: UID) -> bool:
    """Whether the object of that UID, not just one of the same name, manages ``obj``."""
    owner = controller_of(obj)
    return owner is not None and owner.uid == uid
