"""What a request is about, as admission sees it (k8s.io/apiserver/pkg/admission, Attributes)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fake_dra_driver.cluster.apiserver.store.store import Key, Object
from fake_dra_driver.cluster.apiserver.types.resource import Resource
from fake_dra_driver.cluster.apiserver.types.user import User

__all__ = ["Attributes", "Operation"]

Operation = Literal["CREATE", "UPDATE", "DELETE"]
_OPTIONS: Mapping[Operation, str] = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


@dataclass(frozen=True, slots=True)
class Attributes:
    """A write that is about to be made."""

    operation: Operation
    resource: Resource
    subresource: str
    key: Key
    obj: Object | None
    """The object as it will be stored; None: it is deleted."""
    old: Object | None
    """The object as it is; None: there is none yet."""
    user: User
    dry_run: bool = False

    @property
    def namespace(self) -> str:
        """That of the object; of a Namespace its own name."""
        return self.key.name if self.is_namespace else self.key.namespace

    @property
    def is_namespace(self) -> bool:
        """Whether it is about a Namespace."""
        return self.resource.group == "" and self.resource.kind == "Namespace"

    @property
    def name(self) -> str:
        """The name in the request: none for a new object whose name the server has made."""
        is_made = self.operation == "CREATE" and self.obj is not None and self.obj["metadata"].get("generateName")
        return "" if is_made else self.key.name

    def objects_in(self, version: Resource) -> tuple[Object | None, Object | None]:
        """The new and the old object in a version of their kind."""
        return _in_version(self.obj, version), _in_version(self.old, version)

    def request_in(self, version: Resource) -> Object:
        """The request as it would be in a version of the kind: an admission.k8s.io AdmissionRequest without objects."""
        asked = self.resource
        request: Object = {
            "kind": _kind(version),
            "resource": _resource(version),
            "subResource": self.subresource,
            "requestKind": _kind(asked),
            "requestResource": _resource(asked),
            "requestSubResource": self.subresource,
            "name": self.name,
            "namespace": self.namespace,
        }
        return {name: value for name, value in request.items() if value} | {
            "operation": self.operation,
            "userInfo": self.user.to_object(),
            "dryRun": self.dry_run,
            "options": {"kind": _OPTIONS[self.operation], "apiVersion": "meta.k8s.io/v1"},
        }


def _in_version(obj: Any, version: Resource) -> Object | None:
    if obj is None:
        return None
    return {"kind": version.kind, "apiVersion": version.api_version, **version.from_stored(obj)}


def _kind(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _resource(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}
