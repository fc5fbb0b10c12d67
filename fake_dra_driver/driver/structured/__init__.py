"""The Fake devices in structured DRA (Kubernetes 1.32 and later), in which the scheduler allocates.

- ``inventory``: the devices of a node as its ResourceSlices have them.
- ``parameters``: which opaque configuration the driver takes; ``wanted``: what a claim gets, by its allocation.
- ``claimlookup``: what claims hold on a node; ``nodedriver``: the kubelet's calls.
- ``sliceevents``: what people are told of what a node publishes; ``nodesetup``: a node's parts put together.
"""
