"""Who makes a request (k8s.io/apiserver/pkg/authentication/user)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = ["User"]


@dataclass(frozen=True, slots=True)
class User:
    """The owner of a token."""

    name: str
    groups: tuple[str, ...]
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def to_object(self) -> Object:
        """authentication.k8s.io UserInfo."""
        info: Object = {"username": self.name, "uid": self.uid, "groups": list(self.groups), "extra": dict(self.extra)}
        return {name: value for name, value in info.items() if value}
