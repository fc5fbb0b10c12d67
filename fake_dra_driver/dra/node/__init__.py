"""The node's side of DRA, in either mode: what k8s.io/dynamic-resource-allocation/kubeletplugin is for Go drivers.

- ``driver``: the seam that a driver fills, ``NodeDriver``; ``claim``: a claim as the kubelet names it.
- ``kubeletplugin``: the life of a plugin: sockets, registration, calls, the end; made with a ``KubeletInterface``.
- ``interface``: which gRPC versions are served together, and the versions that are named to the kubelet.
- ``v1alpha2``, ``v1alpha3``, ``v1beta1``, ``v1``: one adapter for each gRPC version; ``classic`` and ``structured``:
  what those of one mode share.
- ``calls``: the rules for calls of every version: one claim at a time, deadlines, work that outlives its call.
- ``health``: what the kubelet is told about the health of devices; ``health_v1``, ``health_v1alpha1``: its adapters.
- ``registration``: how the kubelet gets to know the plugin; ``sockets``: unix sockets whose names matter.
- ``pluginsockets``: the names of an instance's sockets; ``siblings``: the other instances during a rolling update;
  ``folderlock``, ``claimlock``: whose turn it is to work on the plugin's folder, and on the devices of a claim.

What makes devices ready for claims, whichever they are, once it is known what a claim is to get:

- ``prepared``: what is prepared; ``preparedmodel``: the seam that says what a driver's devices are.
- ``preparer``: makes claims ready, and ends them; ``retry``: how often it tries, and for how long; ``deviceerror``: why
  a claim cannot have a device; ``nodedriver``: the kubelet's calls of it.
- ``checkpoint``, ``checkpointformat``: which claims are prepared; ``cdi``, ``containeredits``: what container runtimes
  read; ``metadata``: what containers can read; ``files``, ``nodefiles``: the disk.
- ``recovery``: start, lost files, stale claims; ``claimlookup``: what it asks about claims, which each mode answers;
  ``latebinding``: while the mode is not known.
- ``events``, ``reason``: what people are told; ``metrics``: what is counted; ``setup``: the parts put together.
"""
