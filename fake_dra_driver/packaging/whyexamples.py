"""The clusters of docs/why.md: made up, and explained by the program itself, so that the page shows what it says."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.cluster.kinds import Namespace, Node, Pod
from fake_dra_driver.tablelayout import Layout
from fake_dra_driver.why.build import explain
from fake_dra_driver.why.report import Report
from fake_dra_driver.why.snapshot import Served, Snapshot
from fake_dra_driver.why.subject import Found
from fake_dra_driver.why.table import table

__all__ = ["busy_cluster", "drawn", "partitioned_cards", "unevaluable_selector"]

_DRIVER: Final = "gpu.example.com"
_NOW: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
_COLUMNS: Final = 100

_Json = dict[str, Any]


def drawn(report: Report) -> str:
    """A report as a terminal shows it."""
    return table(report, _NOW, layout=Layout(_COLUMNS))


def busy_cluster() -> Report:
    """Fifteen nodes: the devices that are wanted are in use, others are of another model, and some nodes are closed."""
    fast, slow = [f"worker-{at}" for at in range(1, 4)], [f"worker-{at}" for at in range(4, 15)]
    nodes = [_node(name) for name in (*fast, *slow)]
    taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    nodes.append(_node("control-plane", taints=[taint]))
    slices = [_slice(node, *_cards(model)) for names, model in ((fast, "H100"), (slow, "A100")) for node in names]
    holders = [
        _allocated("render-0", "worker-1", "gpu-0", "gpu-1"),
        _allocated("render-1", "worker-1", "gpu-2", "gpu-3"),
        _allocated("search-0", "worker-2", "gpu-0", "gpu-1", "gpu-2"),
        _allocated("bert-0", "worker-3", "gpu-0"),
        _allocated("bert-1", "worker-3", "gpu-1", "gpu-2", "gpu-3"),
    ]
    claim = _claim("train-gpus-x7k2q", count=2, selector=f'device.attributes["{_DRIVER}"].model == "H100"')
    return _explained(nodes, slices, [*holders, claim], _event())


def unevaluable_selector() -> Report:
    """A selector reads what one of the devices does not have."""
    cards = [_device("gpu-0", index=0), _device("gpu-1"), _device("gpu-2", index=2)]
    claim = _claim("train-gpus-x7k2q", count=1, selector=f'device.attributes["{_DRIVER}"].index == 2')
    return _explained([_node("worker-1")], [_slice("worker-1", *cards)], [claim])


def partitioned_cards() -> Report:
    """A card that is divided: no large part is left, though most small ones are."""
    card = "gpu-0-counters"

    def part(name: str, profile: str, *memory: int) -> _Json:
        taken = {f"memory-slice-{at}": {"value": "1"} for at in memory}
        return {**_device(name, profile=profile), "consumesCounters": [{"counterSet": card, "counters": taken}]}

    small = [part(f"gpu-0-mig-1g5gb-{at}", "1g.5gb", at) for at in range(7)]
    large = [part(f"gpu-0-mig-3g20gb-{at}", "3g.20gb", *range(at, at + 4)) for at in (0, 4)]
    memory = {f"memory-slice-{at}": {"value": "1"} for at in range(8)}
    slices = [
        _slice("worker-1", count=2, sharedCounters=[{"name": card, "counters": memory}]),
        _slice("worker-1", *small, *large, count=2, index=1),
    ]
    holders = [
        _allocated("notebook-1", "worker-1", "gpu-0-mig-1g5gb-2"),
        _allocated("notebook-2", "worker-1", "gpu-0-mig-1g5gb-5"),
    ]
    claim = _claim("train-gpus-x7k2q", count=1, selector=f'device.attributes["{_DRIVER}"].profile == "3g.20gb"')
    return _explained([_node("worker-1")], slices, [*holders, claim])


# --- Manifests ---------------------------------------------------------------------------------------------------


def _node(name: str, **spec: Any) -> _Json:
    return {"metadata": {"name": name}, "spec": spec}


def _device(name: str, **attributes: str | int) -> _Json:
    values = {key: {"int" if isinstance(value, int) else "string": value} for key, value in attributes.items()}
    return {"name": name, "attributes": values}


def _cards(model: str) -> Iterator[_Json]:
    return (_device(f"gpu-{at}", model=model) for at in range(4))


def _slice(node: str, *devices: _Json, count: int = 1, index: int = 0, **fields: Any) -> _Json:
    pool = {"name": node, "generation": 1, "resourceSliceCount": count}
    spec = {"driver": _DRIVER, "nodeName": node, "pool": pool, "devices": list(devices), **fields}
    return {"metadata": {"name": f"{node}-{index}"}, "spec": spec}


def _claim(name: str, *, count: int = 1, selector: str = "") -> _Json:
    exactly: _Json = {"deviceClassName": _DRIVER, "allocationMode": "ExactCount", "count": count}
    if selector:
        exactly["selectors"] = [{"cel": {"expression": selector}}]
    requests = [{"name": "gpu", "exactly": exactly}]
    return {"metadata": {"name": name, "namespace": "ml", "uid": name}, "spec": {"devices": {"requests": requests}}}


def _allocated(name: str, node: str, *devices: str) -> _Json:
    """A claim that has devices, and a pod of the same name that uses it."""
    results = [{"request": "gpu", "driver": _DRIVER, "pool": node, "device": each} for each in devices]
    on_node = {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]}
    status = {
        "allocation": {"devices": {"results": results}, "nodeSelector": on_node},
        "reservedFor": [{"resource": "pods", "name": name, "uid": name}],
    }
    return {**_claim(name, count=len(devices)), "status": status}


def _explained(nodes: Sequence[_Json], slices: Sequence[_Json], claims: Sequence[_Json], *events: Event) -> Report:
    """What is said about pod ``train``, whose claim is the last."""
    own = claims[-1]["metadata"]["name"]
    spec = {"resourceClaims": [{"name": "gpus", "resourceClaimTemplateName": "gpus"}]}
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "train", "uid": "train", "controller": True}
    claims[-1]["metadata"]["ownerReferences"] = [owner]
    pod = Pod.from_wire(
        {
            "metadata": {"name": "train", "namespace": "ml", "uid": "train"},
            "spec": spec,
            "status": {"resourceClaimStatuses": [{"name": "gpus", "resourceClaimName": own}]},
        }
    )
    expression = f'device.driver == "{_DRIVER}"'
    device_class = {"metadata": {"name": _DRIVER}, "spec": {"selectors": [{"cel": {"expression": expression}}]}}
    snapshot = Snapshot(
        served=Served("v1.37.2", RESOURCE_APIS["v1"], v1.DeviceTaintRule),
        nodes=tuple(map(Node.from_wire, nodes)),
        slices=tuple(map(v1.ResourceSlice.from_wire, slices)),
        classes=(v1.DeviceClass.from_wire(device_class),),
        claims=tuple(map(v1.ResourceClaim.from_wire, claims)),
        taint_rules=(),
        templates={},
        namespace=Namespace.from_wire({"metadata": {"name": "ml"}}),
        events=events,
    )
    return explain(Found(pod, pod), snapshot)


def _event() -> Event:
    """What the scheduler says: that it cannot, and not why."""
    return Event.from_wire(
        {
            "metadata": {"name": "train.1", "namespace": "ml"},
            "involvedObject": {"kind": "Pod", "namespace": "ml", "name": "train", "uid": "train"},
            "type": "Warning",
            "reason": "FailedScheduling",
            "message": "0/15 nodes are available: 1 node(s) had untolerated taint(s), 14 cannot allocate all claims.",
            "source": {"component": "default-scheduler"},
            "lastTimestamp": (_NOW - timedelta(minutes=2)).isoformat(),
        }
    )
