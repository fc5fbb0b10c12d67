"""The Fake devices in structured DRA (Kubernetes 1.32 and later), in which the scheduler allocates.

- ``inventory``: the devices of a node as its ResourceSlices have them.
- ``parameters``: which opaque configuration the driver takes; ``wanted``: what a claim gets, by its allocation.
- ``claimlookup``: what claims hold on a node; ``nodedriver``: the kubelet's calls.
- ``sliceevents``: what people are told of what a node publishes; ``nodesetup``: a node's parts put together.
- ``holdings``, ``projection``: what claims hold, as ``nas.spec.allocatedClaims`` shows it.
- ``configcheck``: configuration that cannot be used; ``waiting``: claims that ask for this driver; ``setup``: the
  controller's parts put together, on ``caches``.
- ``admission``, ``webhook``: what is refused when a claim is created.
"""
