"""The embedded cluster: everything of a Kubernetes cluster that a driver meets, in one Python process.

``apiserver`` is the API server; everything else is a client of it, as in a real cluster. Nothing here knows this
project's driver: CRDs come as YAML. Needs the extra ``fake-dra-driver[cluster]``.
"""
