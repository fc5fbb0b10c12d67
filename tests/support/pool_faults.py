"""Pools that cannot be published, with what is said about each: one list for the check and for real API servers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.pool import Pool
from tests.support.slice_world import NODE, devices, taint

__all__ = ["FAULTS", "GOOD", "PoolFault"]


@dataclass(frozen=True)
class PoolFault:
    """One thing that is wrong."""

    name: str
    pool: Pool
    message: str
    """Part of what is said."""
    is_seen_by_server: bool = True
    """Whether the API server can tell, which looks at one slice at a time."""

    def __str__(self) -> str:
        return self.name


def _pool(*parts: v1.Device, **fields: Any) -> Pool:
    return Pool(**{"name": NODE, "devices": parts, "node_name": NODE, **fields})


def _device(**fields: Any) -> v1.Device:
    return v1.Device.model_validate({"name": "dev-0", **fields})


def _set(name: str = "set", count: int = 1, amount: str = "1") -> v1.CounterSet:
    return v1.CounterSet(name=name, counters={f"c{number}": v1.Counter(value=amount) for number in range(count)})


def _consumed(name: str = "set", counter: str = "c0", amount: str = "1") -> dict[str, Any]:
    return {"counterSet": name, "counters": {counter: {"value": amount}}}


def _attribute(name: str = "a", **value: Any) -> Pool:
    return _pool(_device(attributes={name: value}))


def _faulty(name: str, pool: Pool, message: str, *, is_seen_by_server: bool = True) -> PoolFault:
    return PoolFault(name, pool, message, is_seen_by_server)


def _node_resource(name: str, resource: dict[str, Any], message: str, resource_name: str = "cpu") -> PoolFault:
    device = _device(capacity={"cores": {"value": "8"}}, nodeAllocatableResources={resource_name: resource})
    return _faulty(name, _pool(device), f"nodeAllocatableResources[{resource_name}]{message}")


FAULTS: Sequence[PoolFault] = (
    _faulty("pool name", _pool(*devices(1), name="Not_A_Domain"), "pool Not_A_Domain: name: must be DNS subdomains"),
    _faulty("no nodes", _pool(*devices(1), node_name=None), "exactly one of node_name, node_selector, all_nodes"),
    _faulty("nodes twice", _pool(*devices(1), all_nodes=True), "exactly one of node_name, node_selector, all_nodes"),
    _faulty(
        "another node",
        _pool(*devices(1), node_name="node-1"),
        "node_name: must be node-0, the node that is published here, is node-1",
        is_seen_by_server=False,
    ),
    _faulty(
        "device twice",
        _pool(*devices(200), *devices(1)),
        "pool node-0: device dev-0: is there twice",
        is_seen_by_server=False,
    ),
    _faulty("device name", _pool(v1.Device(name="Dev_0")), "device Dev_0: name: must be a DNS label"),
    _faulty("no device name", _pool(v1.Device(name="")), "name: must be a DNS label in lower case, is empty"),
    _faulty("long device name", _pool(v1.Device(name="d" * 64)), "name: at most 63 characters, has 64"),
    _faulty(
        "many attributes",
        _pool(
            _device(
                attributes={f"a{n}": {"int": n} for n in range(30)},
                capacity={f"c{n}": {"value": "1"} for n in range(3)},
            )
        ),
        "device dev-0: attributes and capacity: at most 32 together, are 33",
    ),
    _faulty("attribute name", _attribute("not-c", int=1), "attributes[not-c]: must be a C identifier"),
    _faulty("attribute domain", _attribute("a_b/x", int=1), "attributes[a_b/x]: must be domain/identifier"),
    _faulty("long attribute name", _attribute("a" * 33, int=1), "at most 32 characters, has 33"),
    _faulty("no value", _attribute(), "attributes[a]: exactly one value must be set, are 0"),
    _faulty("two values", _attribute(int=1, bool=True), "attributes[a]: exactly one value must be set, are 2"),
    _faulty("empty list", _attribute(strings=[]), "attributes[a].strings: must not be empty"),
    _faulty("long value in a list", _attribute(strings=["a", "ä" * 33]), "attributes[a].strings[1]: at most 64 bytes"),
    _faulty("version in a list", _attribute(versions=["1.2"]), "attributes[a].versions[0]: must be a semantic version"),
    _faulty("big number in a list", _attribute(ints=[2**63]), "attributes[a].ints[0]: must fit into 64 bits"),
    _faulty(
        "many values",
        _pool(_device(attributes={"a": {"ints": list(range(48))}, "b": {"int": 1}})),
        "attributes: at most 48 values, those of lists counted one by one, are 49",
    ),
    _faulty("long value", _attribute(string="ä" * 33), "attributes[a].string: at most 64 bytes, has 66"),
    _faulty("version", _attribute(version="1.2"), "attributes[a].version: must be a semantic version"),
    _faulty("version with zero", _attribute(version="1.02.3"), "must be a semantic version such as 1.2.3, is 1.02.3"),
    _faulty("big number", _attribute(int=2**63), "attributes[a].int: must fit into 64 bits"),
    _faulty(
        "quantity",
        _pool(_device(capacity={"memory": {"value": "much"}})),
        "device dev-0: capacity[memory].value: must be a quantity such as 80Gi, is much",
    ),
    _faulty(
        "policy without shares",
        _pool(_device(capacity={"memory": {"value": "1Gi", "requestPolicy": {"default": "1Gi"}}})),
        "capacity[memory].requestPolicy: only with allowMultipleAllocations",
    ),
    _faulty(
        "unknown counter set",
        _pool(_device(consumesCounters=[_consumed("other")]), shared_counters=(_set(),)),
        "device dev-0: consumesCounters[other]: the pool has no such counter set; it has set",
        is_seen_by_server=False,
    ),
    _faulty(
        "unknown counter",
        _pool(_device(consumesCounters=[_consumed(counter="c9")]), shared_counters=(_set(),)),
        "consumesCounters[set].c9: the counter set has no such counter",
        is_seen_by_server=False,
    ),
    _faulty(
        "counter set twice",
        _pool(*devices(1), shared_counters=(_set(), *(_set(f"set-{n}") for n in range(8)), _set())),
        "counter set set: is there twice",
        is_seen_by_server=False,
    ),
    _faulty(
        "consumes many sets",
        _pool(
            _device(consumesCounters=[_consumed(f"set-{n}") for n in range(3)]),
            shared_counters=tuple(_set(f"set-{n}") for n in range(3)),
        ),
        "consumesCounters: at most 2 counter sets, are 3",
    ),
    _faulty(
        "consumes a set twice",
        _pool(_device(consumesCounters=[_consumed(), _consumed()]), shared_counters=(_set(),)),
        "consumesCounters[set]: is there twice",
    ),
    _faulty(
        "many counters",
        _pool(*devices(1), shared_counters=(_set(count=33),)),
        "counters: from 1 to 32 counters, are 33",
    ),
    _faulty(
        "no counters", _pool(*devices(1), shared_counters=(_set(count=0),)), "counters: from 1 to 32 counters, are 0"
    ),
    _faulty("counter set name", _pool(*devices(1), shared_counters=(_set("Set"),)), "counter set Set: name: must be"),
    _faulty(
        "counter amount",
        _pool(*devices(1), shared_counters=(_set(amount="much"),)),
        "counters.c0: must be a quantity such as 80Gi, is much",
    ),
    _faulty("many taints", _pool(_device(taints=[taint()] * 17)), "device dev-0: taints: at most 16, are 17"),
    _faulty("taint key", _pool(_device(taints=[taint("a/b/c")])), "taints[0].key: must be domain/name"),
    _faulty("no taint key", _pool(_device(taints=[taint("")])), "taints[0].key: must be the name of a label"),
    _faulty("taint value", _pool(_device(taints=[taint(value="no label")])), "taints[0].value: must be the value of"),
    _faulty(
        "taint effect",
        _pool(_device(taints=[taint(effect="NoWay")])),
        "taints[0].effect: must be one of NoSchedule, NoExecute, None, is NoWay",
    ),
    _faulty(
        "one side of binding", _pool(_device(bindingConditions=["A"])), "bindingFailureConditions: must be set both or"
    ),
    _faulty(
        "same on both sides",
        _pool(_device(bindingConditions=["A"], bindingFailureConditions=["A"])),
        "bindingConditions, bindingFailureConditions: A is there twice",
    ),
    _faulty(
        "many conditions",
        _pool(_device(bindingConditions=list("ABCDE"), bindingFailureConditions=["F"])),
        "bindingConditions: at most 4, are 5",
    ),
    _faulty(
        "condition name",
        _pool(_device(bindingConditions=["not a name"], bindingFailureConditions=["F"])),
        "bindingConditions[0]: must be the name of a label",
    ),
    _faulty(
        "nodes of a device",
        _pool(_device(allNodes=True)),
        "device dev-0: nodeName, nodeSelector, allNodes: only where the pool selects nodes by device",
    ),
    _node_resource("node resource", {"overhead": {"perPod": "1"}}, ": must be one of cpu, memory, hugepages-", "disk"),
    _node_resource("nothing of a node resource", {}, ": mapping, overhead or both must be set"),
    _node_resource("no mapping", {"mapping": {}}, ".mapping: either capacityKey and capacityMultiplier or device"),
    _node_resource(
        "two mappings",
        {"mapping": {"capacityKey": "cores", "capacityMultiplier": "1", "deviceMultiplier": "1"}},
        ".mapping: either capacityKey and capacityMultiplier or deviceMultiplier must be set",
    ),
    _node_resource(
        "mapping of no capacity",
        {"mapping": {"capacityKey": "memory", "capacityMultiplier": "1"}},
        ".mapping.capacityKey: the device has no capacity memory; it has cores",
    ),
    _node_resource(
        "mapping of nothing", {"mapping": {"deviceMultiplier": "0"}}, ".mapping.deviceMultiplier: must be more than 0"
    ),
    _node_resource(
        "amount of a mapping", {"mapping": {"deviceMultiplier": "x"}}, ".mapping.deviceMultiplier: must be a quantity"
    ),
    _node_resource("no overhead", {"overhead": {}}, ".overhead: perPod, perContainer or both must be set"),
    _node_resource(
        "negative overhead", {"overhead": {"perContainer": "-1"}}, ".overhead.perContainer: must be 0 or more, is -1"
    ),
)

GOOD: Sequence[Pool] = (
    _pool(*devices(200)),
    _pool(
        _device(
            attributes={
                "a" * 32: {"string": "x" * 64},
                "Domain.example.com/_x1": {"version": "1.2.3-rc.1+build.05"},
                "int": {"int": -(2**63)},
                "bool": {"bool": False},
            },
            capacity={"memory": {"value": "80Gi"}, "domain.example.com/cores": {"value": "1500m"}},
            taints=[taint(), taint("no-domain", effect="NoExecute", value="v"), taint(effect="None")],
            bindingConditions=["A", "example.com/B"],
            bindingFailureConditions=["C"],
            consumesCounters=[_consumed(), _consumed("set-1")],
        ),
        shared_counters=(_set(), _set("set-1", count=32)),
    ),
    _pool(
        _device(
            allowMultipleAllocations=True,
            capacity={"m": {"value": "2", "requestPolicy": {"default": "1", "validValues": ["1"]}}},
        )
    ),
)
"""Pools that can be published, up to the limits."""
