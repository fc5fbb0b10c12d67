"""Manifests for tests of whole clusters."""

__all__ = ["NAMESPACE"]

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"
