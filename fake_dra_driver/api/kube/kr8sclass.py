"""Kinds as classes of kr8s, for any model of a kind: ``api.kr8s`` has those of this driver.

Declared with all that the model knows. What kr8s has to guess is wrong: the kind of a class that was made from a name
alone is in lower case, also in the owner references that it writes.
"""

from kr8s import asyncio, objects

from fake_dra_driver.api.kube.meta import KubeObject

__all__ = ["asyncio_class", "sync_class"]


def asyncio_class(kind: type[KubeObject]) -> type[asyncio.objects.APIObject]:
    """The kind as ``kr8s.asyncio.objects`` has its own, for reconcilers."""
    at = kind.resource
    return asyncio.objects.new_class(at.kind, at.api_version, namespaced=at.namespaced, plural=at.plural)


def sync_class(kind: type[KubeObject]) -> type[objects.APIObject]:
    """The kind as ``kr8s.objects`` has its own, for scripts."""
    at = kind.resource
    return objects.new_class(at.kind, at.api_version, namespaced=at.namespaced, plural=at.plural)
