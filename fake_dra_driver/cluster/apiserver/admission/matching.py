"""Whether a policy or a webhook is about a request: rules, selectors and versions.

Follows k8s.io/apiserver/pkg/admission/plugin/webhook/predicates and plugin/policy/matching.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fake_dra_driver.cluster.apiserver.admission.attributes import Attributes
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.resource import Registry, Resource
from fake_dra_driver.cluster.apiserver.types.selectors import match_label_selector

__all__ = ["Matcher", "is_exempt"]

_EXEMPT = (
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
)


def is_exempt(attributes: Attributes) -> bool:
    """Whether nothing may stand in the way: what stands in the way is configured by such objects."""
    return attributes.resource.group == "admissionregistration.k8s.io" and attributes.resource.kind in _EXEMPT


@dataclass(frozen=True, slots=True)
class Matcher:
    """Finds out what a request is to others.

    Args:
        registry: the resources, in all their versions.
        labels_of: the labels of a namespace.
    """

    registry: Registry
    labels_of: Callable[[str], Mapping[str, str]]

    def version_for(self, matching: Object, rules: str, attributes: Attributes) -> Resource | None:
        """The version in which a policy or a webhook is about a request; None: in none.

        Args:
            matching: a webhook, or the ``matchConstraints`` or ``matchResources`` of a policy.
            rules: the field that has its rules; without any, all resources are meant.
            attributes: the request.
        """
        if not self._is_selected(matching, attributes):
            return None
        if any(_holds(rule, attributes) for rule in matching.get("excludeResourceRules") or ()):
            return None
        wanted: Sequence[Object] = matching.get(rules) or ()
        if not wanted and rules == "resourceRules":
            return attributes.resource
        versions: Sequence[Resource] = ()
        for rule in wanted:
            if not _holds_in_any_version(rule, attributes):
                continue  # nearly always, for each policy at each write
            versions = versions or self._versions(matching, attributes.resource)
            for version in versions:
                if _is_one_of(rule.get("apiVersions"), version.version):
                    return version
        return None

    def _versions(self, matching: Object, resource: Resource) -> Sequence[Resource]:
        """Those in which a request can be meant, its own first."""
        is_equivalent = matching.get("matchPolicy", "Equivalent") == "Equivalent"
        return [resource, *(self._others(resource) if is_equivalent else ())]

    def _others(self, resource: Resource) -> Sequence[Resource]:
        """The other versions of a resource."""
        return [
            each
            for each in self.registry
            if (each.group, each.plural) == (resource.group, resource.plural) and each.version != resource.version
        ]

    def _is_selected(self, matching: Object, attributes: Attributes) -> bool:
        by_namespace, by_object = matching.get("namespaceSelector") or {}, matching.get("objectSelector") or {}
        if by_namespace and attributes.namespace:
            labels = _labels(attributes.obj or attributes.old) if attributes.is_namespace else None
            found = self.labels_of(attributes.namespace) if labels is None else labels
            if not match_label_selector(by_namespace, found):
                return False
        if not by_object:
            return True
        objects = [each for each in (attributes.obj, attributes.old) if each is not None]
        return any(match_label_selector(by_object, _labels(each)) for each in objects)


def _labels(obj: Any) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def _holds(rule: Object, attributes: Attributes) -> bool:
    """Whether a rule is about a request, in its own version."""
    is_version = _is_one_of(rule.get("apiVersions"), attributes.resource.version)
    return is_version and _holds_in_any_version(rule, attributes)


def _holds_in_any_version(rule: Object, attributes: Attributes) -> bool:
    """Whether a rule is about a request, apart from the versions that it is for."""
    resource, names = attributes.resource, rule.get("resourceNames")
    is_namespaced = resource.namespaced
    scope = {"Namespaced": is_namespaced, "Cluster": not is_namespaced}.get(rule.get("scope", "*"), True)
    return (
        scope
        and _is_one_of(rule.get("operations"), attributes.operation)
        and _is_one_of(rule.get("apiGroups"), resource.group)
        and any(_is_resource(each, resource.plural, attributes.subresource) for each in rule.get("resources") or ())
        and (not names or attributes.key.name in names)
    )


def _is_one_of(values: Sequence[str] | None, value: str) -> bool:
    return any(each in ("*", value) for each in values or ())


def _is_resource(pattern: str, plural: str, subresource: str) -> bool:
    wanted, _, sub = pattern.partition("/")
    return wanted in ("*", plural) and sub in ("*", subresource)
