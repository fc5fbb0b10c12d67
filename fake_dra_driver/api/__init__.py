"""Wire types: what Kubernetes objects look like, and nothing of what is done with them.

``kube`` has what every kind shares and the few built-in kinds that a driver reads, ``resource`` the DRA API in its
versions, and ``fake`` this driver's own kinds: the single schema that CRDs, chart and documentation are rendered from.
``interning`` makes equal parts of objects one.
"""
