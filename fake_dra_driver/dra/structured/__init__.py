"""A driver's side of structured DRA, for any device: the scheduler allocates, the node prepares.

Follows k8s.io/dynamic-resource-allocation/kubeletplugin and k8s.io/dynamic-resource-allocation/resourceslice.

- ``pool``: what a driver offers, and the ResourceSlices that say so. ``poollimits``: what the API server would refuse.
- ``slices``: which writes bring the slices that exist in line; ``slicespec``: when two of them say the same.
- ``publisher``: makes these writes, and repairs what others do to the slices; ``publishobserver`` is told of it.
- ``featuregates``: which fields an API server drops in silence, and what brings them back.
- ``claims``: what a claim holds of a driver on a node; ``config``: which opaque parameters apply to a device.
- ``status``: reports on devices, in the status of their claims; ``metadata``: files that tell containers about them.
"""
