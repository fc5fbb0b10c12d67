"""The environment of a container: what the pod's spec says, as a kubelet puts it together.

Follows k8s.io/kubernetes/pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables), third_party/forked/golang/expansion.
A container gets PATH, HOSTNAME, what its image says, its own variables and those of its CDI devices: nothing of the
environment of this process, and none about services. Variables of resources (resourceFieldRef) are not supported:
nothing limits a process here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fake_dra_driver.cluster.kinds import ConfigMap
from fake_dra_driver.cluster.kubelet.containersetup.images import Image
from fake_dra_driver.cluster.kubelet.containersetup.objectdata import ObjectReader, contents
from fake_dra_driver.cluster.kubelet.pod import Container, Pod, Secret

__all__ = ["DEFAULT_PATH", "ConfigError", "NodeFacts", "expand", "variables"]

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What containerd sets for images without a PATH."""
_REFERENCE = re.compile(r"\$(?:\$|\(([^()]*)\))")
_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


class ConfigError(Exception):
    """No environment can be made from a container's spec: CreateContainerConfigError."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What containers can learn of their node."""

    name: str
    address: str


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replaces ``$(NAME)``; unknown names stay as they are, and ``$$`` is a dollar sign."""

    def replace(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        return values.get(match.group(1), match.group())

    return _REFERENCE.sub(replace, text)


async def variables(
    pod: Pod, container: Container, image: Image, node: NodeFacts, client: ObjectReader
) -> dict[str, str]:
    """All variables but those of CDI devices, paths as the pod's spec has them.

    Raises:
        ConfigError: one of them refers to something that does not exist.
        RuntimeLayerError: the API server does not answer.
    """
    path = ":".join((*image.path, image.env.get("PATH", DEFAULT_PATH)))
    environment = {**image.env, "PATH": path, "HOSTNAME": (pod.spec.hostname or pod.metadata.name)[:63].rstrip("-.")}
    for source in container.env_from:
        environment.update(await _all_of(pod, source, client))
    own: dict[str, str] = {}
    for variable in container.env:
        if variable.value_from is None:
            value: str | None = expand(variable.value, {**environment, **own})
        else:
            value = await _referred(pod, variable.value_from, node, client)
        if value is not None:
            own[variable.name] = value
    return {**environment, **own}


async def _all_of(pod: Pod, source: Mapping[str, Any], client: ObjectReader) -> Mapping[str, str]:
    """An ``envFrom``: all keys that can be names of variables."""
    found: dict[str, str] = {}
    for field, kind in (("configMapRef", ConfigMap), ("secretRef", Secret)):
        if field in source:
            try:
                data = await contents(client, kind, pod, source[field], "name")
            except OSError as error:
                raise ConfigError(str(error)) from error
            names = {f"{source.get('prefix', '')}{name}": value for name, value in data.items()}
            found |= {name: value.decode(errors="replace") for name, value in names.items() if _NAME.fullmatch(name)}
    return found


async def _referred(pod: Pod, source: Mapping[str, Any], node: NodeFacts, client: ObjectReader) -> str | None:
    """The value that a ``valueFrom`` refers to; None if it is optional and missing."""
    if "fieldRef" in source:
        return _field(pod, str(source["fieldRef"].get("fieldPath", "")), node)
    for field, kind in (("configMapKeyRef", ConfigMap), ("secretKeyRef", Secret)):
        if field in source:
            reference = source[field]
            try:
                data = await contents(client, kind, pod, reference, "name")
            except OSError as error:
                raise ConfigError(str(error)) from error
            if reference["key"] in data:
                return data[reference["key"]].decode(errors="replace")
            if reference.get("optional"):
                return None
            what = f"{kind.resource.kind} {pod.metadata.namespace}/{reference.get('name', '')}"
            raise ConfigError(f"couldn't find key {reference['key']} in {what}")
    raise ConfigError(f"a variable from {', '.join(source) or 'nothing'} is not supported in this cluster")


def _field(pod: Pod, path: str, node: NodeFacts) -> str:
    simple = {
        "spec.nodeName": node.name,
        "spec.serviceAccountName": pod.spec.service_account_name,
        "status.hostIP": node.address,
        "status.hostIPs": node.address,
        "status.podIP": node.address,
        "status.podIPs": node.address,
    }
    found = simple[path] if path in simple else pod.metadata_field(path)
    if found is None:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return found
