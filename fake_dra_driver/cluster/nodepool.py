"""Node pools: nodes that are alike, and the file in which a person lists them.

::

    pools:
      - name: gpu
        count: 100
        labels: {tier: gpu}
        taints: [{key: gpu, value: "true", effect: NoSchedule}]
        cpu: 32
        memory: 256Gi
        profile: nvidia-h100

The nodes of a pool are called by its name and a number: ``gpu-1``. What ``profile`` means is up to the program that
starts the cluster: here it is handed through. A simulated pool has Nodes without a kubelet, such as KWOK takes care of.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fake_dra_driver.api.fieldproblem import problems_of, shown
from fake_dra_driver.cluster.apiserver.http.yamlbody import YamlError, read_yaml
from fake_dra_driver.cluster.apiserver.types.metadata import dns_label, label_value, qualified_name
from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.quantity import Quantity, QuantityError

__all__ = [
    "DEFAULT_NODE",
    "MAX_KUBELETS",
    "MAX_SIMULATED",
    "POOL_LABEL",
    "NodePool",
    "NodeTaint",
    "check_counts",
    "check_pools",
    "node_name",
    "read_pools",
]

DEFAULT_NODE: Final = "fake-dra-driver-cluster-worker"
"""The only worker of the quickstart's cluster, as kind calls it; UUIDs of devices are a function of this name."""
MAX_KUBELETS: Final = 500
"""Their kubelets share one process, and so one processor: the leases and sockets of more keep it busy."""
MAX_SIMULATED: Final = 5000
"""What Kubernetes itself is made for (kubernetes.io/docs/setup/best-practices/cluster-large)."""
POOL_LABEL: Final = "fake-dra-driver-cluster/pool"
"""Label of each node of a pool, with the pool's name."""

_TOLD: Final = 5
"""How many problems of a file are told at once."""
_HOST_LABEL: Final = "kubernetes.io/hostname"
_KWOK_ANNOTATION, _FAKE = "kwok.x-k8s.io/node", "fake"
_LARGEST_NAME: Final = 63 - len(f"-{MAX_SIMULATED}")
"""Names of nodes are values of the label kubernetes.io/hostname, which end at 63 characters."""


def _quantity(value: object) -> object:
    """A quantity in canonical form; YAML has ``cpu: 4`` as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"must be a quantity such as 4, 500m or 16Gi, is {shown(value)}")
    try:
        quantity = Quantity.parse(str(value))
    except QuantityError:
        unit = " (without a B)" if str(value).endswith(("B", "b")) else ""
        raise ValueError(f"must be a quantity such as 4, 500m or 16Gi{unit}, is {shown(value)}") from None
    if quantity.nanos <= 0:
        raise ValueError(f"must be more than 0, is {shown(value)}")
    return str(quantity)


def _name(name: str) -> str:
    if dns_label(name) or len(name) > _LARGEST_NAME:
        raise ValueError(
            f"must be at most {_LARGEST_NAME} lower-case letters, digits and '-', the first and last of which is no "
            f"'-', is {shown(name)}"
        )
    return name


def _key(key: str) -> str:
    if qualified_name(key):
        raise ValueError(f"must be a key such as tier or example.com/tier, is {shown(key)}")
    return key


def _value(value: str) -> str:
    if label_value(value):
        raise ValueError(f"must be at most 63 letters, digits, '-', '_' and '.', is {shown(value)}")
    return value


def _keys(found: Mapping[str, str]) -> Mapping[str, str]:
    for key in found:
        _key(key)
    return found


def _labels(found: Mapping[str, str]) -> Mapping[str, str]:
    for key in _keys(found):
        if key in (_HOST_LABEL, POOL_LABEL):
            raise ValueError(f"cannot have {key}, which says of each node which one it is")
    return found


def _annotations(found: Mapping[str, str]) -> Mapping[str, str]:
    if _keys(found).get(_KWOK_ANNOTATION, _FAKE) != _FAKE:
        raise ValueError(f"cannot have {_KWOK_ANNOTATION}, which is {_FAKE} on the nodes of a simulated pool")
    return found


LabelValue = Annotated[str, AfterValidator(_value)]
PlainQuantity = Annotated[str, BeforeValidator(_quantity)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NodeTaint(_Strict):
    """A taint that the nodes of a pool have from the start."""

    key: Annotated[str, AfterValidator(_key)]
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


def _taints(taints: tuple[NodeTaint, ...]) -> tuple[NodeTaint, ...]:
    seen: set[tuple[str, str]] = set()
    for taint in taints:
        if (taint.key, taint.effect) in seen:
            raise ValueError(f"has {taint.key} with effect {taint.effect} twice")
        seen.add((taint.key, taint.effect))
    return taints


class NodePool(_Strict):
    """Nodes that are alike. Raises pydantic.ValidationError on what the API server would not take."""

    name: Annotated[str, AfterValidator(_name)]
    count: Annotated[int, Field(ge=0)] = 1
    """How many nodes there are at the start."""
    labels: Annotated[Mapping[str, LabelValue], AfterValidator(_labels)] = Field(default_factory=dict)
    """In addition to those of every node, and ``POOL_LABEL``."""
    annotations: Annotated[Mapping[str, str], AfterValidator(_annotations)] = Field(default_factory=dict)
    taints: Annotated[tuple[NodeTaint, ...], Field(strict=False), AfterValidator(_taints)] = ()
    cpu: PlainQuantity | None = None
    """What a node has for its pods; None: as many as this machine has, or 32 if it is simulated."""
    memory: PlainQuantity | None = None
    """Likewise; None: as much as this machine has, or 256Gi if it is simulated."""
    pods: Annotated[int, Field(ge=0)] = 110
    """How many pods a node takes; a kubelet's default."""
    profile: str = ""
    """Of the devices of its nodes, as the program that starts the cluster knows them; empty: none in particular."""
    simulated: bool = False
    """Whether there are only Nodes, and no kubelets; see ``cluster.kwok``."""


class _PoolFile(_Strict):
    pools: Annotated[tuple[NodePool, ...], Field(strict=False)]


def node_name(pool: NodePool | None, number: int) -> str:
    """The name of the first (1), second... node of a pool; without a pool, such as kind gives its workers."""
    if pool is not None:
        return f"{pool.name}-{number}"
    return DEFAULT_NODE if number == 1 else f"{DEFAULT_NODE}{number}"


def read_pools(path: Path) -> tuple[NodePool, ...]:
    """The pools of a file. Blocks.

    Raises:
        ClusterError: it cannot be read, or is no pool file: one sentence with the file, the path in it, what is there
            and what is allowed.
    """
    try:
        raw = path.read_bytes()
        document, duplicates = read_yaml(raw)
        documents = sum(isinstance(event, yaml.DocumentStartEvent) for event in yaml.parse(raw, Loader=yaml.SafeLoader))
    except OSError as error:
        raise ClusterError(f"Cannot read the node pools in {path}: {error.strerror}") from error
    except (YamlError, yaml.YAMLError) as error:
        raise ClusterError(f"The node pools in {path} are not YAML: {error}") from error
    if duplicates:
        told = " ".join(duplicates[0].split()).removeprefix("yaml: unmarshal errors: ")
        raise ClusterError(f"The node pools in {path} are not clear: {told}")
    if documents > 1:
        raise ClusterError(f"The node pools in {path} are not clear: there are {documents} YAML documents, not one")
    if not isinstance(document, Mapping):
        raise ClusterError(f"{path} has no node pools: it must be an object with a list of pools, is {_told(document)}")
    try:
        pools = _PoolFile.model_validate(document).pools
    except ValidationError as error:
        problems = problems_of(error, _PoolFile)
        more = f" ({len(problems) - _TOLD} more)" if len(problems) > _TOLD else ""
        told = "; ".join(map(str, problems[:_TOLD]))
        raise ClusterError(f"The node pools in {path} cannot be used: {told}{more}") from None
    try:
        if not pools:
            raise ClusterError("pools: must not be empty")
        check_pools(pools)
    except ClusterError as error:
        raise ClusterError(f"The node pools in {path} cannot be used: {error}") from None
    return pools


def check_pools(pools: Iterable[NodePool]) -> None:
    """Raises ClusterError where pools do not go together: two of one name, or more nodes than a cluster can have."""
    first: dict[str, int] = {}
    kubelets = simulated = 0
    for at, pool in enumerate(pools):
        if pool.name in first:
            raise ClusterError(f"pools[{at}].name: {pool.name} is the name of pools[{first[pool.name]}] as well")
        first[pool.name] = at
        kubelets += 0 if pool.simulated else pool.count
        simulated += pool.count if pool.simulated else 0
    check_counts(kubelets, simulated)


def check_counts(kubelets: int, simulated: int) -> None:
    """Raises ClusterError when these are more nodes than one cluster can have."""
    if kubelets > MAX_KUBELETS:
        raise ClusterError(
            f"{kubelets} nodes with a kubelet do not fit: a cluster has at most {MAX_KUBELETS}, since all kubelets "
            f"share one process. Simulated nodes ('simulated: true') have none: {MAX_SIMULATED:,} of them fit"
        )
    if simulated > MAX_SIMULATED:
        raise ClusterError(
            f"{simulated} simulated nodes do not fit: a cluster has at most {MAX_SIMULATED:,}, as Kubernetes itself"
        )


def _told(document: Any) -> str:
    return "empty" if document is None else shown(document)
