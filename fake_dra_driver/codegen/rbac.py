"""The vocabulary of permissions: what a component may do, each rule with its reason.

A chart makes a ClusterRole of a component's rules for every namespace, and a Role in its own namespace of the others.
"""

from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.kube.meta import KubeObject

__all__ = ["CACHE_VERBS", "CLASSIC", "READ_VERBS", "STRUCTURED", "ComponentRules", "Rule"]

CACHE_VERBS = ("list", "watch")
"""To hold all objects of a kind."""
READ_VERBS = ("get", *CACHE_VERBS)
"""To ask for one of them as well."""

CLASSIC: Final = "classic"
"""The mode of a DRA driver in Kubernetes 1.27 to 1.30, where its controller allocates."""
STRUCTURED: Final = "structured"
"""The mode in Kubernetes 1.32 and later, where the scheduler allocates."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One PolicyRule (rbac.authorization.k8s.io/v1)."""

    why: str
    kinds: tuple[type[KubeObject], ...]
    verbs: tuple[str, ...]
    subresource: str = ""
    names: tuple[str, ...] = ()
    """The objects that it is for; empty: all."""
    only: str = ""
    """CLASSIC or STRUCTURED: the mode that needs it, for a chart to grant it in that mode alone; empty: every mode."""
    simulating: bool = False
    """Whether it is needed only by a controller that simulates nodes, for a chart to grant it only where that is
    switched on."""

    @property
    def group(self) -> str:
        """The API group of the kinds, which all have the same."""
        (group,) = {kind.resource.group for kind in self.kinds}
        return group

    @property
    def resources(self) -> tuple[str, ...]:
        """Resources as a rule names them."""
        below = f"/{self.subresource}" if self.subresource else ""
        return tuple(sorted(kind.resource.plural + below for kind in self.kinds))


@dataclass(frozen=True, slots=True)
class ComponentRules:
    """The rules of one component."""

    name: str
    """As in the names of its objects."""
    values_key: str
    cluster: tuple[Rule, ...]
    """For every namespace, and for what has none."""
    namespaced: tuple[Rule, ...]
    """For the driver's namespace alone."""
