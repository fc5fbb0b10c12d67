"""The Fake devices in structured DRA (Kubernetes 1.32 and later), in which the scheduler allocates.

- ``inventory``: the devices of a node as its ResourceSlices have them.
- ``parameters``: which opaque configuration the driver takes; ``wanted``: what a claim gets, by its allocation.
- ``pool``: the devices of a node behind the node's seam of ``dra.structured``.
- ``entry``: what a claim holds, as ``nas.spec.allocatedClaims`` shows it; ``driver``: the controller's seam.
"""
