"""A driver's side of structured DRA, for any device: the scheduler allocates, the node prepares.

Follows k8s.io/dynamic-resource-allocation/kubeletplugin and k8s.io/dynamic-resource-allocation/resourceslice.

- ``pool``: what a driver offers, and the ResourceSlices that say so. ``poollimits``: what the API server would refuse.
- ``slices``: which writes bring the slices that exist in line; ``slicespec``: when two of them say the same.
- ``publisher``: decides when they are made, and repairs what others do to slices; ``publishobserver`` is told of it.
  ``slicewriter`` makes them.
- ``featuregates``: which fields an API server drops in silence, and what brings them back. ``acceptedslices``: what is
  left of a slice then.
- ``claims``: what a claim holds of a driver on a node; ``config``: which opaque parameters apply to a device.
- ``status``: reports on devices, in the status of their claims; ``metadata``: files that tell containers about them.
"""
