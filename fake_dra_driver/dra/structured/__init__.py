"""A driver's side of structured DRA, for any device: the scheduler allocates, the node prepares.

Follows k8s.io/dynamic-resource-allocation/kubeletplugin and k8s.io/dynamic-resource-allocation/resourceslice.

``SlicePublisher`` offers the devices of a ``Pool`` to the scheduler, and keeps them on offer. ``ClaimReader`` says what
a claim was allocated of them, with its opaque parameters; ``DeviceStatusWriter`` reports on them in the claim's status,
``DeviceMetadata`` in files for containers. The modules inside, which may change:

- ``pool``: what a driver offers, and the ResourceSlices that say so. ``poollimits``: what the API server would refuse.
- ``slices``: which writes bring the slices that exist in line; ``slicespec``: when two of them say the same.
- ``publisher``: decides when they are made, and repairs what others do to slices; ``publishobserver`` is told of it.
  ``slicewriter`` makes them.
- ``featuregates``: which fields an API server drops in silence, and what brings them back. ``acceptedslices``: what is
  left of a slice then.
- ``claims``: what a claim holds of a driver on a node; ``config``: which opaque parameters apply to a device.
- ``status``: reports on devices, in the status of their claims; ``metadata``: files that tell containers about them.
- ``pooldevices``: what is asked of a driver about the devices of a node. ``claimlookup``: what claims hold there;
  ``nodedriver``: the kubelet's calls; ``devicestatus``, ``sliceevents`` and ``slicereason``: what people are told;
  ``nodesetup``: a node's parts put together.
- ``controllerdriver``: what the controller asks of a driver. ``holdings``, ``projection``: what claims hold, as the
  NodeAllocationState of a node shows it; ``configcheck``, ``countcheck``: configuration that cannot be used;
  ``waiting``, ``metrics``: claims that ask for the driver; ``setup``: the controller's parts put together, on
  ``caches``.
- ``admission``, ``webhook``: what is refused when a claim is created.
"""

from typing import TYPE_CHECKING, Final

from fake_dra_driver.lazyface import lazy_face

if TYPE_CHECKING:
    from fake_dra_driver.dra.structured.claims import AllocatedClaim, ClaimReader, HoldsNothingError
    from fake_dra_driver.dra.structured.config import ConfigError
    from fake_dra_driver.dra.structured.metadata import DeviceMetadata
    from fake_dra_driver.dra.structured.pool import Pool
    from fake_dra_driver.dra.structured.poollimits import PoolError
    from fake_dra_driver.dra.structured.publisher import SlicePublisher
    from fake_dra_driver.dra.structured.publishobserver import PublishObserver
    from fake_dra_driver.dra.structured.status import DeviceStatusWriter

__all__ = [
    "AllocatedClaim",
    "ClaimReader",
    "ConfigError",
    "DeviceMetadata",
    "DeviceStatusWriter",
    "HoldsNothingError",
    "Pool",
    "PoolError",
    "PublishObserver",
    "SlicePublisher",
]

_MODULES: Final = {
    "AllocatedClaim": "claims",
    "ClaimReader": "claims",
    "HoldsNothingError": "claims",
    "ConfigError": "config",
    "DeviceMetadata": "metadata",
    "Pool": "pool",
    "PoolError": "poollimits",
    "SlicePublisher": "publisher",
    "PublishObserver": "publishobserver",
    "DeviceStatusWriter": "status",
}
"""The module of each name."""

if not TYPE_CHECKING:  # type checkers know the names from above, and no others
    __getattr__, __dir__ = lazy_face(__name__, _MODULES)
