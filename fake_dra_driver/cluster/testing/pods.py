"""Pods of tests: made with their claims, waited for, and read."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1alpha2
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.cluster.cluster import Cluster
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.kubelet.containerruntime.cdi import DeviceEdits
from fake_dra_driver.cluster.testing.claims import Claim, claim_manifests, class_manifest, pod_manifest
from fake_dra_driver.cluster.testing.errors import PodFailedError
from fake_dra_driver.cluster.testing.report import container_of, describe_everything, log_of, missing_driver, state_of
from fake_dra_driver.cluster.testing.waiting import wait
from fake_dra_driver.runtime.errors import NotFoundError

__all__ = ["ContainerRun", "PodRun", "Until", "delete_pod", "make_claim", "make_pod", "wait_for_event", "wait_for_pod"]

Until = Literal["ended", "ready"]
"""What a pod is waited for: the end of its containers, or that it is Ready."""

_COMMANDS: Mapping[Until, Sequence[str]] = {
    "ended": ("env",),
    "ready": ("sh", "-c", "env; exec sleep 86400"),
}


@dataclass(frozen=True, slots=True)
class ContainerRun:
    """A container of a pod that was waited for."""

    env: Mapping[str, str]
    """Its environment, with what its devices have added."""
    logs: str
    """What it has printed so far."""
    exit_code: int | None
    """None: it runs."""
    edits: DeviceEdits
    """What its devices add: variables, and the device nodes, mounts and hooks that only a real node would give it."""


@dataclass(frozen=True, slots=True)
class PodRun:
    """A pod that was waited for, as it was then."""

    name: str
    namespace: str
    node: str
    phase: str
    """``Running``, ``Succeeded`` or ``Failed``."""
    containers: Mapping[str, ContainerRun]
    """By name."""

    @property
    def env(self) -> Mapping[str, str]:
        """The environment of its first container."""
        return next(iter(self.containers.values())).env

    @property
    def edits(self) -> DeviceEdits:
        """What the devices of its first container add to it."""
        return next(iter(self.containers.values())).edits

    @property
    def logs(self) -> str:
        """What its first container has printed."""
        return next(iter(self.containers.values())).logs


async def make_claim(cluster: Cluster, claim: Claim, name: str, namespace: str, *, is_template: bool = False) -> None:
    """Creates a claim or a template of claims, and their class where there is none of that name.

    Raises:
        ClusterError, ApiError: as ``Cluster.apply``; or it asks for what this release does not have.
    """
    api = RESOURCE_APIS.get(cluster.release.structured_version)
    kind: type[KubeObject] = api.classes if api is not None else v1alpha2.ResourceClass
    try:
        await cluster.client.get(kind, NamespacedName("", claim.class_name))
    except NotFoundError:
        await cluster.apply(class_manifest(cluster.release, claim.class_name, claim.driver))
    if claim.config is None and claim.count != 1 and api is None:
        claim = replace(claim, config=_empty_parameters(cluster, claim.driver))
    await cluster.apply(*claim_manifests(cluster.release, claim, name, namespace, is_template=is_template))


def _empty_parameters(cluster: Cluster, driver: str) -> Mapping[str, Any] | None:
    """Parameters of classic DRA that only say how many devices; None where it is not clear of which kind."""
    kinds = [each for each in cluster.server.registry if each.group == driver and each.namespaced]
    return {"apiVersion": kinds[0].api_version, "kind": kinds[0].kind, "spec": {}} if len(kinds) == 1 else None


async def make_pod(
    cluster: Cluster,
    name: str,
    claims: Sequence[Claim | str],
    *,
    namespace: str,
    command: Sequence[str] | None,
    until: Until,
    node: str,
) -> None:
    """Creates a pod with its claims.

    Args:
        cluster: where.
        name: of the pod.
        claims: those that are made for it, or names of claims that exist.
        namespace: of the pod.
        command: what it runs; None: prints its environment, and goes on where it is to be ready.
        until: what it is going to be waited for.
        node: where it is to run; empty: anywhere.

    Raises:
        ClusterError, ApiError: as ``make_claim``.
    """
    sources = {}
    for number, claim in enumerate(claims):
        entry = f"claim-{number}"
        if isinstance(claim, str):
            sources[entry] = {"resourceClaimName": claim}
        else:
            template = f"{name}-{number}"
            await make_claim(cluster, claim, template, namespace, is_template=True)
            sources[entry] = {"resourceClaimTemplateName": template}
    await cluster.apply(pod_manifest(cluster.release, name, namespace, command or _COMMANDS[until], sources, node))


async def wait_for_pod(
    cluster: Cluster,
    key: NamespacedName,
    *,
    until: Until,
    check: bool,
    timeout_seconds: float,
    drivers: Collection[str] = (),
) -> PodRun:
    """Waits for a pod's end, or until it is Ready.

    Args:
        cluster: where.
        key: of the pod.
        until: what to wait for.
        check: whether a pod that fails is an error.
        timeout_seconds: how long to wait.
        drivers: those of its claims, if they are known.

    Raises:
        UnmetError: it has not come to that in time.
        PodFailedError: it has failed, which ``check`` makes an error; or it has ended where it was to become Ready.
    """

    async def has_come() -> Pod | None:
        pod = await cluster.client.get(Pod, key)
        ready = pod.condition("Ready")
        is_ready = until == "ready" and ready is not None and ready.status == "True"
        return pod if is_ready or pod.is_finished else None

    async def explain() -> str:
        missing = [f"  {line}\n" for driver in drivers if (line := missing_driver(cluster, driver))]
        return "".join(missing) + await describe_everything(cluster, await cluster.client.get(Pod, key))

    what = f"the pod {key} {'has ended' if until == 'ended' else 'is Ready'}"
    pod = await wait(cluster, what, has_come, explain, timeout_seconds)
    if (pod.status.phase == "Failed" and check) or (pod.is_finished and until == "ready"):
        states = [f"container {each.name} {state_of(each)}" for each in pod.status.container_statuses]
        why = ", ".join(states) or pod.status.reason
        raise PodFailedError(f"the pod {key} has {pod.status.phase}: {why}\n{await describe_everything(cluster, pod)}")
    return await _read(cluster, pod)


async def delete_pod(cluster: Cluster, key: NamespacedName, timeout_seconds: float) -> None:
    """Deletes a pod, and waits until it is gone.

    Raises:
        UnmetError: it is still there.
    """

    async def is_gone() -> bool:
        try:
            await cluster.client.get(Pod, key)
        except NotFoundError:
            return True
        return False

    async def explain() -> str:
        return await describe_everything(cluster, await cluster.client.get(Pod, key))

    try:
        await cluster.client.delete(Pod, key)
    except NotFoundError:
        return
    await wait(cluster, f"the pod {key} is gone", is_gone, explain, timeout_seconds)


async def wait_for_event(cluster: Cluster, text: str, *, about: str, namespace: str, timeout_seconds: float) -> str:
    """Waits for an Event with this in its reason or message, and returns the message.

    Args:
        cluster: where.
        text: part of it.
        about: the name of the object; empty: any.
        namespace: of the object.
        timeout_seconds: how long to wait.

    Raises:
        UnmetError: there is none, with those that there are.
    """

    async def events() -> Sequence[Event]:
        found = (await cluster.client.list(Event, namespace)).items
        return [each for each in found if about in ("", each.involved_object.name)]

    async def said() -> str | None:
        return next((each.message for each in await events() if text in f"{each.reason}: {each.message}"), None)

    async def explain() -> str:
        return "\n".join(
            f"  {each.involved_object.kind} {each.involved_object.name}: {each.reason}: {json.dumps(each.message)}"
            for each in await events()
        )

    subject = f"an Event about {about}" if about else f"an Event in {namespace}"
    return await wait(cluster, f"{subject} says {text!r}", said, explain, timeout_seconds)


async def _read(cluster: Cluster, pod: Pod) -> PodRun:
    containers = {}
    for spec in pod.spec.containers:
        container = container_of(cluster, pod, spec.name)
        if container is not None:
            exit_code = container.exit_code if container.state == "exited" else None
            containers[spec.name] = ContainerRun(
                container.config.env, await log_of(container), exit_code, container.config.edits
            )
    return PodRun(pod.metadata.name, pod.metadata.namespace, pod.spec.node_name, pod.status.phase, containers)
