"""Which changes of DeviceProfiles and DeviceFaults matter: their status is written for each node that comes or goes."""

from typing import TypeVar

from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.runtime import Change

__all__ = ["has_other_spec"]


K = TypeVar("K", bound=KubeObject)


def has_other_spec(change: Change[K]) -> bool:
    """Whether more of an object has changed than its status, or it is another object."""
    before, after = change.old, change.new
    if before is None or after is None:
        return True
    return (before.uid, before.metadata.generation) != (after.uid, after.metadata.generation)
