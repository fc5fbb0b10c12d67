"""What is read from the cluster: all that its scheduler sees when it looks for devices.

What may not be read is left out, and said: the answer is as good as the rights of the person who asks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, TAINT_RULES, ResourceApi
from fake_dra_driver.cluster.kinds import Namespace, Node, Pod
from fake_dra_driver.dra.installeddrivers import options_of_drivers
from fake_dra_driver.dra.servedapi import CLASSIC_VERSION, advice
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.discovery import ServedGroup
from fake_dra_driver.runtime.errors import ForbiddenError, NotFoundError, RuntimeLayerError
from fake_dra_driver.untrustedtext import short_name
from fake_dra_driver.why.subject import CannotExplainError

__all__ = ["KINDS", "Served", "Snapshot", "find_served", "read_snapshot"]

K = TypeVar("K", bound=KubeObject)
T = TypeVar("T")
D = TypeVar("D")

KINDS: Final[tuple[type[KubeObject], ...]] = (
    Pod,
    Node,
    Namespace,
    Event,
    v1.ResourceClaim,
    v1.ResourceClaimTemplate,
    v1.ResourceSlice,
    v1.DeviceClass,
    v1.DeviceTaintRule,
)
"""Every kind that is read, with get and list; those of ``resource.k8s.io`` in the version that is served."""


_NOT_ENDED: Final = "status.phase!=Succeeded,status.phase!=Failed"
_WITHOUT_NODES: Final = "nodes are known from ResourceSlices alone, without labels and taints"
_WITHOUT_SLICES: Final = "which devices there are is not known"
_WITHOUT_CLASSES: Final = "what the claims ask for is not known in full"


@dataclass(frozen=True, slots=True)
class Served:
    """What the API server is, and which versions it serves."""

    kubernetes: str
    """Its release, such as ``v1.37.2``."""
    api: ResourceApi
    taint_rules: type[v1.DeviceTaintRule] | None
    """None where there are none in this cluster."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that was read."""

    served: Served
    nodes: tuple[Node, ...]
    slices: tuple[v1.ResourceSlice, ...]
    classes: tuple[v1.DeviceClass, ...]
    claims: tuple[v1.ResourceClaim, ...]
    taint_rules: tuple[v1.DeviceTaintRule, ...]
    templates: Mapping[str, v1.ResourceClaimTemplate | None]
    """Those that the pod names; None: there is no such template. What may not be read is left out."""
    namespace: Namespace | None
    """That of the pod or the claim; None where it may not be read."""
    events: tuple[Event, ...] = ()
    """About the pod."""
    pods: tuple[Pod, ...] = ()
    """All that have not ended, where a pod waits for a node."""
    hidden: frozenset[str] = frozenset()
    """Plural names of the kinds that may not be read."""
    notes: tuple[str, ...] = ()


async def find_served(client: Client) -> Served:
    """What the API server serves.

    Raises:
        CannotExplainError: nothing that can be explained.
        RuntimeLayerError: it cannot be asked.
    """
    group = await client.discovery.group(v1.GROUP)
    version = group.first_of(*RESOURCE_APIS)
    if version is None:
        raise CannotExplainError(_nothing_to_explain(group, await options_of_drivers(client)))
    kubernetes = await client.discovery.server_version()
    return Served(kubernetes, RESOURCE_APIS[version], await _taint_rules(client, group))


def _nothing_to_explain(group: ServedGroup, options: Sequence[str]) -> str:
    if CLASSIC_VERSION in group.versions:
        commands = " or ".join(f"`fake-dra-driver status {option}`" for option in options)
        return (
            f"this cluster has classic DRA ({v1.GROUP}/{CLASSIC_VERSION}, Kubernetes 1.27 to 1.30), where each driver "
            f"allocates by itself and knows alone why it does not: {commands or '`fake-dra-driver status`'} says it"
        )
    return advice(group, tuple(RESOURCE_APIS))


async def _taint_rules(client: Client, group: ServedGroup) -> type[v1.DeviceTaintRule] | None:
    for version, kind in TAINT_RULES.items():
        if version in group.versions and kind.resource.plural in await client.discovery.resources(v1.GROUP, version):
            return kind
    return None


async def read_snapshot(client: Client, served: Served, namespace: str, pod: Pod | None) -> Snapshot:
    """Reads all that matters to the claims of a pod, or to a claim that no pod uses.

    Raises:
        RuntimeLayerError: the API server cannot be asked.
    """
    reader = _Reader(client)
    api = served.api
    named = () if pod is None else (each.template_name for each in pod.spec.resource_claims)
    templates = [name for name in named if name]
    try:
        async with asyncio.TaskGroup() as group:
            nodes = group.create_task(reader.all(Node, _WITHOUT_NODES), name="read nodes")
            slices = group.create_task(reader.all(api.slices, _WITHOUT_SLICES), name="read slices")
            classes = group.create_task(reader.all(api.classes, _WITHOUT_CLASSES), name="read classes")
            claims = group.create_task(reader.claims(api.claims, namespace), name="read claims")
            rules = group.create_task(reader.taint_rules(served.taint_rules), name="read taint rules")
            found = group.create_task(reader.templates(api.templates, namespace, templates), name="read templates")
            home = group.create_task(reader.namespace(namespace), name="read namespace")
            events = group.create_task(reader.events(pod), name="read events")
            pods = group.create_task(reader.pods(pod), name="read pods")
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    hidden = frozenset(reader.hidden)
    known = nodes.result()
    if Node.resource.plural in hidden:
        known = _nodes_of(slices.result())
    return Snapshot(
        served=served,
        nodes=known,
        slices=slices.result(),
        classes=classes.result(),
        claims=claims.result(),
        taint_rules=rules.result(),
        templates=found.result(),
        namespace=home.result(),
        events=events.result(),
        pods=pods.result(),
        hidden=hidden,
        notes=(*sorted(reader.denials.values()), *sorted(reader.refusals)),
    )


def _nodes_of(slices: Sequence[v1.ResourceSlice]) -> tuple[Node, ...]:
    """The nodes that slices name, with nothing but their names."""
    names = {each.spec.node_name for each in slices} | {
        device.node_name for each in slices for device in each.spec.devices
    }
    return tuple(Node(metadata=ObjectMeta(name=name)) for name in sorted(name for name in names if name))


class _Reader:
    """Reads what may be read, and notes what may not."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.hidden: set[str] = set()
        """Plural names of the kinds that may not be read."""
        self.denials: dict[str, str] = {}
        """By plural name: which right is missing, and what is not known therefore."""
        self.refusals: list[str] = []
        """What was read and is left out."""

    async def all(
        self, kind: type[K], consequence: str, namespace: str | None = None, selector: str = ""
    ) -> tuple[K, ...]:
        """Every object of a kind.

        Args:
            kind: of the objects.
            consequence: what is not known where they may not be listed.
            namespace: None: all.
            selector: of fields.
        """

        async def read() -> tuple[K, ...]:
            listed = await self._client.list(kind, namespace, field_selector=selector)
            for refused in listed.invalid:
                name = short_name(str(refused.key))
                problems = "; ".join(refused.problems)
                self.refusals.append(f"{kind.resource.kind} {name} is left out, since it cannot be read: {problems}")
            return listed.items

        return await self._allowed(kind, "list", consequence, read, ())

    async def claims(self, kind: type[v1.ResourceClaim], namespace: str) -> tuple[v1.ResourceClaim, ...]:
        """The claims of all namespaces; where those may not be listed, of this one."""
        found = await self.all(kind, "devices that claims of other namespaces have look free")
        if kind.resource.plural in self.hidden:
            self.hidden.discard(kind.resource.plural)
            return await self.all(kind, "devices that other claims have look free", namespace)
        return found

    async def taint_rules(self, kind: type[v1.DeviceTaintRule] | None) -> tuple[v1.DeviceTaintRule, ...]:
        """The DeviceTaintRules, where the cluster has the kind."""
        return () if kind is None else await self.all(kind, "devices that they taint look as if they had no taint")

    async def templates(
        self, kind: type[v1.ResourceClaimTemplate], namespace: str, names: Sequence[str]
    ) -> Mapping[str, v1.ResourceClaimTemplate | None]:
        """The templates of these names."""
        found: dict[str, v1.ResourceClaimTemplate | None] = {}
        for name in dict.fromkeys(names):
            consequence = "whether the templates exist that the pod names is not known"
            unread: Any = ...
            template = await self._allowed(
                kind, "get", consequence, _getter(self._client, kind, namespace, name), unread
            )
            if template is not unread:
                found[name] = template
        return found

    async def namespace(self, name: str) -> Namespace | None:
        """The namespace; None where it may not be read."""
        read = _getter(self._client, Namespace, "", name)
        return await self._allowed(
            Namespace, "get", "whether the namespace allows admin access is not known", read, None
        )

    async def events(self, pod: Pod | None) -> tuple[Event, ...]:
        """The Events about a pod."""
        if pod is None:
            return ()
        selector = f"involvedObject.kind=Pod,involvedObject.name={pod.metadata.name}"
        consequence = "what the scheduler says is not known"
        return await self.all(Event, consequence, pod.metadata.namespace, selector)

    async def pods(self, pod: Pod | None) -> tuple[Pod, ...]:
        """The pods that may take up room on nodes, if that matters to the pod."""
        if pod is None or pod.spec.node_name or pod.is_finished:
            return ()
        return await self.all(Pod, "how much of nodes they take up is not known", selector=_NOT_ENDED)

    async def _allowed(
        self, kind: type[KubeObject], verb: str, consequence: str, read: Callable[[], Awaitable[T]], instead: D
    ) -> T | D:
        """What ``read`` returns, or ``instead`` where the person who asks has no right to it."""
        plural = kind.resource.plural
        try:
            return await read()
        except ForbiddenError as error:
            self.hidden.add(plural)
            self.denials[plural] = f"may not {verb} {plural}, so {consequence} ({error.message})"
            return instead
        except NotFoundError as error:
            raise _gone(kind, error) from error


def _getter(client: Client, kind: type[K], namespace: str, name: str) -> Callable[[], Awaitable[K | None]]:
    async def read() -> K | None:
        try:
            return await client.get(kind, NamespacedName(namespace, name))
        except NotFoundError:
            return None

    return read


def _gone(kind: type[KubeObject], error: RuntimeLayerError) -> CannotExplainError:
    return CannotExplainError(f"the API server does not serve {kind.resource} (any more): {error}")
