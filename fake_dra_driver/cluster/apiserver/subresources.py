"""Subresources that are no plain part of their object: scale, binding, eviction, token, and the access reviews.

Follows k8s.io/kubernetes/pkg/registry/core/{pod,serviceaccount} and apps/*/storage. Logs, exec and port-forward belong
to the kubelet: ``LogSource`` is where one is plugged in.
"""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol

from fake_dra_driver.cluster.apiserver.answers import text_answer
from fake_dra_driver.cluster.apiserver.deletion import Deletion
from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request, conflict, invalid, invalid_value
from fake_dra_driver.cluster.apiserver.message import Answer, Stream
from fake_dra_driver.cluster.apiserver.options import DeleteOptions, WriteOptions
from fake_dra_driver.cluster.apiserver.patch import JSON_PATCH, json_patch, merge_patch
from fake_dra_driver.cluster.apiserver.printers import label_selector_text
from fake_dra_driver.cluster.apiserver.reading import Reading
from fake_dra_driver.cluster.apiserver.resource import Registry, Resource, ScalePaths
from fake_dra_driver.cluster.apiserver.stamps import Stamps
from fake_dra_driver.cluster.apiserver.store import Key, Object, Record
from fake_dra_driver.cluster.apiserver.tokens import Tokens, User
from fake_dra_driver.cluster.apiserver.writing import Writing

__all__ = ["LogSource", "Subresources"]

_MIN_TOKEN_SECONDS = 600
_MAX_TOKEN_SECONDS = 1 << 32
_DEFAULT_TOKEN_SECONDS = 3600
_BINDABLE = ("Pod", "Node", "Secret")
"""Kinds that a token can be bound to."""
_CREATED: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


class LogSource(Protocol):
    """What answers ``kubectl logs``: the kubelets."""

    def stream(self, pod: Object, container: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """The log of a container, as far as the query (follow, tailLines, previous...) asks. Raises StatusError."""
        ...


class Subresources:
    """The verbs of subresources, on one store."""

    def __init__(
        self, registry: Registry, reading: Reading, writing: Writing, deletion: Deletion, tokens: Tokens, stamps: Stamps
    ) -> None:
        self._registry = registry
        self._reading = reading
        self._stamps = stamps
        self.logs: LogSource | None = None
        """Who answers requests for logs; None: nobody, they get 404."""
        self._writing = writing
        self._deletion = deletion
        self._tokens = tokens

    # --- scale ---

    def get_scale(self, resource: Resource, key: Key) -> Object:
        """The Scale of an object. Raises StatusError."""
        return self._scale(resource, self._reading.get(resource, key))

    def _scale(self, resource: Resource, record: Record) -> Object:
        paths = resource.scale or ScalePaths("", "")
        obj, metadata = record.value, record.value["metadata"]
        names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        replicas, current = _at(obj, paths.spec), _at(obj, paths.status)
        status: Object = {"replicas": current or 0}
        selector = _at(obj, paths.selector) if paths.selector else None
        if selector:
            status["selector"] = selector if isinstance(selector, str) else label_selector_text(selector)
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {name: metadata[name] for name in names if name in metadata},
            "spec": {"replicas": replicas} if replicas else {},
            "status": status,
        }

    def write_scale(self, resource: Resource, key: Key, scale: Object, options: WriteOptions) -> Object:
        """Sets the number of replicas. Raises StatusError."""
        replicas = (scale.get("spec") or {}).get("replicas", 0)
        if not isinstance(replicas, int) or replicas < 0:
            problem = invalid_value("spec.replicas", str(replicas), "must be greater than or equal to 0")
            raise invalid("autoscaling", "Scale", key.name, [problem])
        version = (scale.get("metadata") or {}).get("resourceVersion")
        paths = resource.scale or ScalePaths("", "")

        def transform(obj: Object) -> Object:
            if version:
                obj["metadata"]["resourceVersion"] = version
            *parents, last = paths.spec.split(".")
            node = obj
            for name in parents:
                node = node.setdefault(name, {})
            node[last] = replicas
            return obj

        return self._scale(resource, self._writing.change(resource, key, "scale", transform, options))

    def patch_scale(self, resource: Resource, key: Key, content_type: str, patch: Any, options: WriteOptions) -> Object:
        """As ``write_scale``, by a JSON or a merge patch of the Scale."""
        present = self.get_scale(resource, key)
        patched = json_patch(present, patch) if content_type == JSON_PATCH else merge_patch(present, patch)
        return self.write_scale(resource, key, patched, options)

    # --- pods ---

    def bind(self, resource: Resource, key: Key, binding: Object, options: WriteOptions) -> Object:
        """Assigns a pod to a node, once. Raises StatusError."""
        target = binding.get("target") or {}
        if not target.get("name"):
            problem = invalid_value("target.name", '""', "name is required")
            raise invalid("", "Binding", key.name, [problem])

        def transform(pod: Object) -> Object:
            if pod["metadata"].get("deletionTimestamp"):
                raise conflict(
                    "", "pods/binding", key.name, f"pod {key.name} is being deleted, cannot be assigned to a host"
                )
            if pod["spec"].get("nodeName"):
                detail = f'pod {key.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
                raise conflict("", "pods/binding", key.name, detail)
            pod["spec"]["nodeName"] = target["name"]
            conditions = [each for each in pod["status"].get("conditions") or () if each["type"] != "PodScheduled"]
            scheduled = {
                "type": "PodScheduled",
                "status": "True",
                "lastProbeTime": None,
                "lastTransitionTime": self._stamps.now_text(),
            }
            pod["status"]["conditions"] = [*conditions, scheduled]
            annotations = (binding.get("metadata") or {}).get("annotations")
            if annotations:
                pod["metadata"].setdefault("annotations", {}).update(annotations)
            return pod

        self._writing.force_change(resource, key, transform, options)
        return _CREATED

    def evict(self, resource: Resource, key: Key, eviction: Object) -> Object:
        """Deletes a pod as its own options say. There are no disruption budgets here. Raises StatusError."""
        name = (eviction.get("metadata") or {}).get("name", "")
        if name and name != key.name:
            raise bad_request(f"name in URL does not match name in Eviction object: {key.name}, {name}")
        self._deletion.delete(resource, key, DeleteOptions.parse({}, eviction.get("deleteOptions") or {}))
        return _CREATED

    def log(self, resource: Resource, key: Key, query: Mapping[str, str]) -> Answer | Stream:
        """The log of one of a pod's containers. Raises StatusError."""
        pod = self._reading.get(resource, key).value
        container = _check_log_request(pod, query.get("container", ""))
        if not pod["spec"].get("nodeName"):
            return text_answer("")
        if self.logs is None:
            raise StatusError(404, "NotFound", "no kubelet runs in this cluster: there are no logs", {})
        return Stream(self.logs.stream(pod, container, query), "text/plain")

    def no_upgrade(self, resource: Resource, key: Key) -> StatusError:
        """Why exec, attach or port-forward is refused: connections are not handed over here."""
        pod = self._reading.get(resource, key).value
        if not pod["spec"].get("nodeName"):
            return bad_request(f"pod {key.name} does not have a host assigned")
        return bad_request("Upgrade request required")

    # --- identities ---

    def issue_token(self, resource: Resource, key: Key, request: Object) -> Object:
        """A token for a service account. Raises StatusError."""
        account = self._reading.get(resource, key)
        spec = request.get("spec") or {}
        seconds = spec.get("expirationSeconds") or _DEFAULT_TOKEN_SECONDS
        detail = ""
        if seconds < _MIN_TOKEN_SECONDS:
            detail = "may not specify a duration less than 10 minutes"
        elif seconds > _MAX_TOKEN_SECONDS:
            detail = "may not specify a duration larger than 2^32 seconds"
        if detail:
            problem = invalid_value("spec.expirationSeconds", str(seconds), detail)
            raise invalid("authentication.k8s.io", "TokenRequest", "", [problem])
        self._check_bound_object(key.namespace, spec.get("boundObjectRef"))
        audiences = spec.get("audiences") or ["https://kubernetes.default.svc"]
        expires = self._stamps.now_text(after_seconds=seconds)
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": key.name, "namespace": key.namespace, "creationTimestamp": self._stamps.now_text()},
            "spec": {
                **spec,
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {
                "token": self._tokens.issue(account.value, audiences, seconds),
                "expirationTimestamp": expires,
            },
        }

    def _check_bound_object(self, namespace: str, reference: Object | None) -> None:
        """What a token is bound to must be there. Raises StatusError."""
        if reference is None:
            return
        version, kind, name = reference.get("apiVersion", ""), reference.get("kind", ""), reference.get("name", "")
        resource = self._registry.by_kind(version, kind)
        if version != "v1" or kind not in _BINDABLE or resource is None:
            raise bad_request(f"cannot bind token to object of type /{version}, Kind={kind}")
        self._reading.get(resource, Key(namespace if resource.namespaced else "", name))

    def review(self, resource: Resource, user: User, body: Object) -> Object:
        """The answer of a review. Everybody may do everything: there is no authorization here."""
        spec = body.get("spec") or {}
        _check_review(resource, spec)
        answer = {
            "kind": resource.kind,
            "apiVersion": resource.api_version,
            "metadata": {"creationTimestamp": None},
            "spec": spec,
        }
        match resource.kind:
            case "SelfSubjectReview":
                del answer["spec"]
                answer["metadata"] = {"creationTimestamp": self._stamps.now_text()}
                answer["status"] = {"userInfo": user.to_object()}
            case "TokenReview":
                found = self._tokens.user_of(str(spec["token"]))
                unknown = {"user": {}, "error": "invalid bearer token"}
                answer["status"] = {"authenticated": True, "user": found.to_object()} if found else unknown
            case "SelfSubjectRulesReview":
                everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
                answer["status"] = {
                    "resourceRules": [everything],
                    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                    "incomplete": False,
                }
            case _:
                answer["status"] = {"allowed": True}
        return answer


def _check_review(resource: Resource, spec: Object) -> None:
    """A review must say what it asks about. Raises StatusError."""
    if resource.kind == "TokenReview" and not spec.get("token"):
        raise bad_request("token is required for TokenReview in authentication")
    if resource.kind == "SelfSubjectRulesReview" and not spec.get("namespace"):
        raise bad_request("no namespace on request")
    if not resource.kind.endswith("SubjectAccessReview"):
        return
    problems = []
    attributes = [spec.get(name) for name in ("resourceAttributes", "nonResourceAttributes")]
    if sum(each is not None for each in attributes) != 1:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        problems.append(invalid_value("spec.resourceAttributes", '"null"', detail))
    if resource.kind != "SelfSubjectAccessReview" and not spec.get("user") and not spec.get("groups"):
        problems.append(invalid_value("spec.user", '""', "at least one of user or group must be specified"))
    if problems:
        raise invalid(resource.group, "", "", problems)


def _check_log_request(pod: Object, container: str) -> str:
    """The container whose log is meant. Raises StatusError (400), in the words of a real API server."""
    name, spec = pod["metadata"]["name"], pod["spec"]
    names = [each["name"] for each in spec.get("containers") or ()]
    others = [each["name"] for each in spec.get("initContainers") or ()]
    if not container:
        if len(names) == 1 and not others:
            return str(names[0])
        listed = f"[{' '.join(names)}]"
        init = f" or one of the init containers: [{' '.join(others)}]" if others else ""
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: {listed}{init}")
    if container not in (*names, *others):
        raise bad_request(f"container {container} is not valid for pod {name}")
    return container


def _at(obj: Object, path: str) -> Any:
    value: Any = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
