"""Objects that go with their owners or their namespace: of a built-in kind, of a custom one, and claims."""

from typing import Any

from fake_dra_driver.api.kube.meta import KubeObject, ResourceKind

__all__ = ["CLAIM_SPEC", "DEFINITION", "ConfigMap", "Thing"]


class ConfigMap(KubeObject):
    resource = ResourceKind("", "v1", "ConfigMap", "configmaps")


class Thing(KubeObject):
    resource = ResourceKind("example.com", "v1", "Thing", "things")


DEFINITION: dict[str, Any] = {
    "group": "example.com",
    "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"},
    "scope": "Namespaced",
    "versions": [
        {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        }
    ],
}

CLAIM_SPEC = {"resourceClassName": "class"}
