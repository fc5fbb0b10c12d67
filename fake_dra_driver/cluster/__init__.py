"""The embedded cluster: what a Kubernetes cluster is to a driver, in one Python process.

``apiserver.ApiServer`` is the API server. Nothing here knows this project's driver: CRDs come as YAML, as on a real
cluster. Needs the extra ``fake-dra-driver[cluster]``.
"""
