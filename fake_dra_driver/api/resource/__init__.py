"""The DRA API, ``resource.k8s.io``: ``v1alpha2`` is classic DRA (Kubernetes 1.27 to 1.30).

``podclaims`` says which claim belongs to which entry of a pod.
"""
