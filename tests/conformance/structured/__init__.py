"""Structured DRA, against the embedded API server and a real one: the kinds of resource.k8s.io in v1 and its betas.

The real one has to be of the release that ``conftest`` names.
"""
