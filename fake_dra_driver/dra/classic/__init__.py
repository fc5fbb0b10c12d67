"""The controller's side of classic DRA: ``resource.k8s.io/v1alpha2`` of Kubernetes 1.27 to 1.30 (KEP-3063).

What k8s.io/dynamic-resource-allocation/controller is for Go drivers: the negotiation with the scheduler, the claim's
finalizer and status, allocation and deallocation, for whatever ``driver.ControllerDriver`` stands behind
it.

- ``claims``: the ResourceClaim reconciler: Immediate allocation, deallocation, claims whose node is gone, leftovers.
- ``deletion``: how long a claim that has lost its pod may wait for its deletion.
- ``scheduling``: the PodSchedulingContext reconciler: unsuitable nodes, and allocation on the node that was selected.
- ``classes``: the ResourceClass reconciler: tells people about parameters that cannot be used.
- ``protocol``: what is to be done about a claim, and in which order; pure. ``writer``: the writes that this takes.
- ``refusal``: what people are told about parameters that cannot be used.
- ``logcontext``: what log lines say about claims and pods.
- ``caches``: what all of them read, and how they find it.
- ``setup``: which change of which object leads to which reconcile.

The order of writes is finalizer, the driver's record, claim status; the undo goes claim first, record last (rules 2 and
4, see ``protocol``). A claim's writes are serialised by a lock on its UID; several are taken in the order of the UIDs.
"""
