"""The vocabulary of admission policies: what the API server refuses although a role allows it.

Roles cannot say "of its own node", or "this field alone". A chart makes a ValidatingAdmissionPolicy
(admissionregistration.k8s.io/v1, Kubernetes 1.30 and later) of each guard, on what one component's ServiceAccount
writes; what others write does not concern it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fake_dra_driver.api.kube.meta import KubeObject

__all__ = ["Check", "Guard"]

_VARIABLES: Final[Mapping[str, str]] = {
    "versions": "[oldObject, object].filter(each, each != null)",
    "node": 'request.userInfo.extra[?"authentication.kubernetes.io/node-name"][?0].orValue("")',
}
"""What expressions can use besides ``object`` and ``oldObject``. None is an optional value: Kubernetes 1.30 finds no
fields in one."""


@dataclass(frozen=True, slots=True)
class Check:
    """One condition, in CEL, and what is said when it does not hold."""

    expression: str
    """Over ``object``, ``oldObject``, ``variables.versions`` (those two, as far as there are) and ``variables.node``:
    the node that the API server itself has put into the token of the pod which writes (KEP-4193); empty: none. Beside
    them, the guard's own variables."""
    message: str
    """In CEL as well: text in double quotes."""


@dataclass(frozen=True, slots=True)
class Guard:
    """One policy, on what one component writes to one resource."""

    why: str
    """What could happen otherwise."""
    component: str
    """As ``ComponentRules.name``."""
    kind: type[KubeObject]
    operations: tuple[str, ...]
    checks: tuple[Check, ...]
    subresource: str = ""
    only: str = ""
    """The mode in which it is needed, as in ``Rule``."""
    needs_own_account: bool = True
    """Whether another component writes the resource, too, and is not to be taken for this one."""
    is_simulators: bool = False
    """Whether that other component is a controller that simulates nodes, and otherwise does not write it. A chart then
    leaves the policy out for want of accounts only where that is switched on; ``needs_own_account`` is False."""
    own_variables: Mapping[str, str] = field(default_factory=dict)
    """What expressions can use besides, by name, each in CEL: it is worked out once for a request."""

    @property
    def name(self) -> str:
        """What its name ends in."""
        parts = (self.component, self.kind.resource.plural, self.subresource)
        return "-".join(part for part in parts if part)

    @property
    def variables(self) -> Mapping[str, str]:
        """Those that the checks use."""
        text = " ".join(part for check in self.checks for part in (check.expression, check.message))
        every = {**_VARIABLES, **self.own_variables}
        return {name: expression for name, expression in every.items() if f"variables.{name}" in text}

    @property
    def resource(self) -> str:
        """As a rule names it."""
        return "/".join(part for part in (self.kind.resource.plural, self.subresource) if part)
