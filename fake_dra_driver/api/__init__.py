"""Wire types: what Kubernetes objects look like, and nothing of what is done with them.

``kube`` has what every kind shares and the few built-in kinds that a driver reads, ``resource`` the DRA API in its
versions, ``schema`` the vocabulary in which a project writes down kinds of its own, and ``fake`` this driver's kinds.
``interning`` makes equal parts of objects one.
"""
