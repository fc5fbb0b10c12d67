"""Beyond the quickstart, on the real scheduler: nodes that are full, refused, chosen again, or go away.

Beside the cluster's own node there are static ones (see ``classic/static_nodes.py``): Node objects without a kubelet,
with a NodeAllocationState each. Their pods are bound and never run, so most tests look at bindings, claims and
ledgers; the demo's manifests run on the cluster's own node.

The very same tests run on an embedded cluster (``make test``), and on the one of the kubeconfig (``make scenarios``),
which must be ``cluster up --node --static-nodes``: elsewhere the node lifecycle controller takes nodes without a
kubelet away. Where the two differ, the embedded one is wrong. It gives tests more time, since it shares the machine.
"""
