"""The DRA API, ``resource.k8s.io``: ``v1alpha2`` is classic DRA (Kubernetes 1.27 to 1.30).

``v1`` is structured DRA (1.32 and later), the model for all of its versions; ``v1beta2`` and ``v1beta1`` only read and
write it in theirs, and ``structured`` lists them. ``podclaims`` says which classic claim belongs to which entry of a
pod.
"""
