"""Wire types: what Kubernetes objects look like, and nothing of what is done with them.

``meta`` has what every kind shares, ``core`` the few built-in kinds that a driver reads, ``resource_v1alpha2`` classic
DRA (Kubernetes 1.27 to 1.30), ``podclaims`` which claim belongs to which entry of a pod, and ``fake`` this driver's own
kinds: the single schema that CRDs, chart and documentation are rendered from.
"""
