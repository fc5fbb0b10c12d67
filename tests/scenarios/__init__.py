"""Beyond the quickstart, on the real scheduler: nodes that are full, refused, chosen again, or go away.

Beside the cluster's own node there are static ones (see ``static_nodes.py``): Node objects without a kubelet, with a
NodeAllocationState each. Their pods are bound and never run, so these tests look at bindings, claims and ledgers. Needs
``cluster up --node --static-nodes``: elsewhere the node lifecycle controller takes nodes without a kubelet away.
"""
