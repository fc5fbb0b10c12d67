"""Policies of the charts in force on an API server, for all who write: embedded ones know one user alone."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.kube.meta import KubeObject, ResourceKind
from fake_dra_driver.codegen import Guard
from fake_dra_driver.driver.names import names_of
from fake_dra_driver.packaging.admission import driver_guards
from fake_dra_driver.runtime import Client

__all__ = ["enforced", "guard_named"]

_GROUP: Final = "admissionregistration.k8s.io"


class _Policy(KubeObject):
    resource = ResourceKind(_GROUP, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False)
    spec: dict[str, Any]


class _Binding(KubeObject):
    resource = ResourceKind(
        _GROUP, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False
    )
    spec: dict[str, Any]


def guard_named(name: str, *, driver: str = DRIVER_NAME) -> Guard:
    """One of this driver's, where a release calls it ``driver``."""
    return next(guard for guard in driver_guards(names_of(driver), NodeAllocationState) if guard.name == name)


@contextlib.asynccontextmanager
async def enforced(client: Client, guard: Guard) -> AsyncIterator[None]:
    """The policy that a chart makes of a guard is in force."""
    rule = {
        "apiGroups": [guard.kind.resource.group],
        "apiVersions": ["*"],
        "operations": list(guard.operations),
        "resources": [guard.resource],
    }
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "variables": [{"name": name, "expression": text} for name, text in guard.variables.items()],
        "validations": [{"expression": check.expression, "messageExpression": check.message} for check in guard.checks],
    }
    head = {"metadata": {"name": f"tests-{guard.name}"}}
    policy = await client.create(_Policy.from_wire({**head, "spec": spec}))
    bound = {"policyName": policy.metadata.name, "validationActions": ["Deny"]}
    binding = await client.create(_Binding.from_wire({**head, "spec": bound}))
    try:
        yield
    finally:
        await client.delete(_Binding, binding.key)
        await client.delete(_Policy, policy.key)
