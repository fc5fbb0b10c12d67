"""What pods ask of a node and what a node has for them: CPU, memory, hugepages, extended resources.

Follows PodRequests of k8s.io/component-helpers/resource (helpers.go) and NewResource of kube-scheduler's framework.
Amounts are whole numbers: of CPU thousandths, of everything else units, rounded up. Pure. Not here: resizing in place,
since the cluster's pods keep what they were created with.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING
from functools import lru_cache
from typing import Any, Final

from fake_dra_driver.cluster.kinds import Container, Node, PodSpec
from fake_dra_driver.quantity import QuantityError, number_of

__all__ = [
    "CPU",
    "EPHEMERAL_STORAGE",
    "MEMORY",
    "PODS",
    "Amounts",
    "Requests",
    "allocatable_of",
    "amount",
    "requests_of",
]

Amounts = Mapping[str, int]
"""How much of each resource, by its name."""

CPU: Final = "cpu"
MEMORY: Final = "memory"
EPHEMERAL_STORAGE: Final = "ephemeral-storage"
PODS: Final = "pods"
_POD_LEVEL: Final = (CPU, MEMORY)
_HUGE_PAGES: Final = "hugepages-"
_LEAST_CPU: Final = 100
"""DefaultMilliCPURequest: what a container counts for in a score that asks for none."""
_LEAST_MEMORY: Final = 200 * 1024 * 1024
"""DefaultMemoryRequest."""


@dataclass(frozen=True, slots=True)
class Requests:
    """What a pod asks for. Equal for pods that are alike."""

    amounts: tuple[tuple[str, int], ...]
    """By name; what it asks nothing of is left out."""
    scored: tuple[int, int]
    """CPU and memory that it counts for when nodes are compared: more than it asks for, where it asks for none."""


def requests_of(spec: PodSpec) -> Requests:
    """What a pod of this spec asks of its node."""
    amounts = _effective(spec, _asked_by)
    scored = _effective(spec, _scored_amounts)
    for name, quantity in (spec.resources.requests if spec.resources is not None else {}).items():
        if name in _POD_LEVEL or name.startswith(_HUGE_PAGES):
            amounts[name] = scored[name] = amount(name, quantity)
    for name, quantity in spec.overhead.items():
        amounts[name] += amount(name, quantity)
        scored[name] += amount(name, quantity)
    asked = tuple(sorted((name, count) for name, count in amounts.items() if count))
    return Requests(asked, (scored[CPU], scored[MEMORY]))


def allocatable_of(node: Node) -> Amounts:
    """What the node has for pods."""
    return _amounts(node.status.allocatable)


def _effective(spec: PodSpec, ask: Callable[[Container], Amounts]) -> Counter[str]:
    """Containers run side by side; init containers before them, one after the other, beside the sidecars so far."""
    total: Counter[str] = Counter()
    for container in spec.containers:
        total.update(ask(container))
    sidecars: Counter[str] = Counter()
    peak: Counter[str] = Counter()
    for container in spec.init_containers:
        asked = ask(container)
        if container.is_sidecar:
            sidecars.update(asked)
            peak |= sidecars
        else:
            peak |= sidecars + Counter(asked)
    return (total + sidecars) | peak


def _scored_amounts(container: Container) -> Amounts:
    return {CPU: _LEAST_CPU, MEMORY: _LEAST_MEMORY, **_asked_by(container)}


def _asked_by(container: Container) -> Amounts:
    # What has a limit alone is asked for: the API server sees to that.
    return _amounts({**container.resources.limits, **container.resources.requests})


def _amounts(quantities: Mapping[str, Any]) -> Amounts:
    return {name: amount(name, quantity) for name, quantity in quantities.items()}


def amount(resource: str, quantity: Any) -> int:
    """How much of a resource a quantity is; 0 for what is none."""
    return _amount(str(quantity), 1000 if resource == CPU else 1)


@lru_cache(maxsize=4096)
def _amount(quantity: str, unit: int) -> int:
    try:
        return int((number_of(quantity) * unit).to_integral_value(rounding=ROUND_CEILING))
    except QuantityError:
        return 0
