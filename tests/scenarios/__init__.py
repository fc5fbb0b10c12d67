"""Beyond the quickstart, on the real scheduler: nodes that are full, refused, chosen again, or go away.

``classic`` and ``structured`` have the scenarios of the two protocols, each for a cluster that speaks it. Beside the
cluster's own node there are static ones: Node objects without a kubelet, with devices that a plugin would have told of
(a NodeAllocationState each in classic DRA, a ResourceSlice in structured DRA). Their pods are bound and never run, so
most tests look at bindings and claims; the demo's manifests run on the cluster's own node.

The very same tests run on an embedded cluster (``make test``), and on the one of the kubeconfig (``make scenarios``),
which must be ``cluster up --node --static-nodes``: elsewhere the node lifecycle controller takes nodes without a
kubelet away. Where the two differ, the embedded one is wrong. It gives tests more time, since it shares the machine.
"""
