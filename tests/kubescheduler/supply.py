"""What generated clusters have: nodes, and pools of devices in slices, with taint rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.kubescheduler.example import MARK, Wire
from tests.kubescheduler.theme import DRIVERS, Draw, Theme

__all__ = ["EXTENDED_RESOURCE", "FLAGS", "MODELS", "TAINTS", "nodes", "pools", "taint_rules"]

EXTENDED_RESOURCE = f"{MARK}x.example.com/gpu"
MODELS = ("m1", "m2")
FLAGS = ("fast", "spare")
_API = "resource.k8s.io/v1"
_ZONE, _SIZE = f"{MARK}zone", f"{MARK}size"
TAINTS = ("example.com/broken", "example.com/busy")
_CAPACITIES = ("1Gi", "4Gi", "4096Mi", "8Gi")
_COUNTER_SETS = ("cs0", "cs1")
_COUNTERS = ("units", "memory")


def nodes(draw: Draw, theme: frozenset[Theme]) -> Sequence[Wire]:
    """One to three nodes. They have labels by which slices and pods select them."""
    made = []
    for number in range(draw.randint(1, 3)):
        allocatable = {"pods": "110", "cpu": "8", "memory": "8Gi"}
        if Theme.EXTENDED in theme and draw.sometimes(6):
            allocatable[EXTENDED_RESOURCE] = "1"  # a device plugin has it
        if Theme.ROOM in theme:
            allocatable |= _room(draw)
        name = f"{MARK}n{number}"
        labels = {
            _ZONE: draw.choice(("z0", "z1")),
            _SIZE: str(draw.randint(1, 3)),
            "kubernetes.io/hostname": name,
        }
        made.append(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": labels},
                "status": {
                    "allocatable": allocatable,
                    "capacity": allocatable,
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            }
        )
    return made


def _room(draw: Draw) -> dict[str, str]:
    """What a small node has, which a few pods fill."""
    room = {
        "pods": draw.choice(("1", "2", "3")),
        "cpu": draw.choice(("1", "1500m", "2")),
        "memory": draw.choice(("512Mi", "1Gi", "2G")),
    }
    if draw.coin():
        room["ephemeral-storage"] = draw.choice(("1Gi", "2Gi"))
    if draw.coin():
        room["hugepages-2Mi"] = draw.choice(("4Mi", "8Mi"))
    return room


def _node_selector(draw: Draw, names: Sequence[str]) -> Wire:
    """One term. It is for no node of another example: all but names are compared by labels that only these have."""
    kind = draw.choice(("zone", "size", "name", "not", "none", "both"))
    zone = {"key": _ZONE, "operator": "In", "values": [draw.choice(("z0", "z1"))]}
    size = {"key": _SIZE, "operator": draw.choice(("Gt", "Lt")), "values": ["2"]}
    by_name = {"key": "metadata.name", "operator": "In", "values": [draw.choice(names)]}
    terms: dict[str, Wire] = {
        "zone": {"matchExpressions": [zone]},
        "size": {"matchExpressions": [size]},
        "name": {"matchFields": [by_name]},
        "not": {"matchExpressions": [{"key": _ZONE, "operator": "Exists"}, {**zone, "operator": "NotIn"}]},
        "none": {
            "matchExpressions": [
                {"key": _ZONE, "operator": "Exists"},
                {"key": f"{MARK}other", "operator": "DoesNotExist"},
            ]
        },
        "both": {"matchFields": [by_name], "matchExpressions": [zone]},
    }
    return {"nodeSelectorTerms": [terms[kind]]}


def _placement(draw: Draw, theme: frozenset[Theme], names: Sequence[str], *, of_device: bool) -> Wire:
    """Which nodes a slice, or one of its devices, is for."""
    kinds = ["nodeName"]
    if Theme.PLACEMENT in theme:
        kinds += ["nodeName", "nodeSelector", "allNodes"] + ([] if of_device else ["perDeviceNodeSelection"] * 2)
    kind = draw.choice(kinds)
    if kind == "nodeName":
        return {kind: draw.choice(names)}
    if kind == "nodeSelector":
        return {kind: _node_selector(draw, names)}
    return {kind: True}


@dataclass(frozen=True, slots=True)
class _Pool:
    driver: str
    name: str
    counter_sets: tuple[str, ...]
    """Names of those that the pool's devices consume from."""


def pools(draw: Draw, theme: frozenset[Theme], names: Sequence[str]) -> Sequence[Wire]:
    """The slices of one to four pools."""
    count = draw.randint(2, 5)
    slices: list[Wire] = []
    slice_names = draw.shuffled([f"{MARK}s{number}" for number in range(count * 4)])
    slice_names += [f"{MARK}t{number}" for number in range(count)]  # for pools that have their counters twice
    for number in range(count):
        driver = DRIVERS[draw.sometimes(4)]
        sets = _COUNTER_SETS[: draw.randint(1, 2)] if Theme.COUNTERS in theme and draw.coin() else ()
        pool = _Pool(driver, f"{MARK}p{number}", sets)
        specs = _pool_specs(draw, theme, names, pool)
        for spec in specs:
            metadata = {"name": slice_names[len(slices)]}
            slices.append({"apiVersion": _API, "kind": "ResourceSlice", "metadata": metadata, "spec": spec})
    return slices


def _pool_specs(draw: Draw, theme: frozenset[Theme], names: Sequence[str], pool: _Pool) -> Sequence[Wire]:
    is_odd = Theme.POOLS in theme and draw.sometimes(2)
    placement = _placement(draw, theme, names, of_device=False)
    # Devices of one pool on several nodes, as devices on a network have it.
    spread = Theme.PLACEMENT in theme and draw.sometimes(3)
    device_specs: list[Wire] = []
    device_names = draw.shuffled([f"d{number}" for number in range(12)])
    used = 0
    for _ in range(draw.randint(1, 3 if Theme.POOLS in theme else 2)):
        where = _placement(draw, theme, names, of_device=False) if spread else placement
        count = draw.randint(2, 5)
        first = used - 1 if is_odd and used and draw.sometimes(5) else used  # a name twice: the pool is invalid
        device_specs.append(
            {
                **where,
                "devices": [
                    _device(draw, theme, names, pool, name, by_device="perDeviceNodeSelection" in where)
                    for name in device_names[first : min(first + count, len(device_names))]
                ],
            }
        )
        used = min(used + count, len(device_names) - 1)
    specs = device_specs + _counter_slices(draw, theme, pool, placement)
    total = len(specs) + (draw.choice((1, -1, 0)) if is_odd else 0)
    generation = draw.randint(1, 2)
    return [
        {
            "driver": pool.driver,
            "pool": {
                "name": pool.name,
                "generation": generation + (draw.choice((0, 0, 1, -1)) if is_odd else 0),
                "resourceSliceCount": max(total, 1),
            },
            **spec,
        }
        for spec in specs
    ]


def _counter_slices(draw: Draw, theme: frozenset[Theme], pool: _Pool, placement: Wire) -> list[Wire]:
    """The counters of a pool, if it has any; sometimes one is missing, or there twice, so that the pool is invalid."""
    if not pool.counter_sets:
        return []
    is_odd = Theme.POOLS in theme and draw.sometimes(4)
    sets = pool.counter_sets[:1] if is_odd else pool.counter_sets
    where = {"allNodes": True} if "perDeviceNodeSelection" in placement else placement
    counters = _COUNTERS[:1] if draw.sometimes(6) else _COUNTERS
    slices = [
        {
            **where,
            "sharedCounters": [
                {"name": name, "counters": {counter: {"value": str(draw.randint(1, 6))} for counter in counters}}
                for name in sets
            ],
        }
    ]
    return slices * 2 if is_odd and draw.sometimes(3) else slices


def _device(
    draw: Draw, theme: frozenset[Theme], names: Sequence[str], pool: _Pool, name: str, *, by_device: bool
) -> Wire:
    device: Wire = {"name": name}
    attributes: Wire = {}
    if draw.randint(0, 7):
        attributes["model"] = {"string": draw.choice(MODELS)}
    if draw.randint(0, 3):
        attributes["index"] = {"int": draw.randint(0, 3)}
    if draw.coin():
        # Under the driver's domain, or without: the same to whoever asks for it.
        key = draw.choice(("numa", f"{pool.driver}/numa", "shared.example.com/numa"))
        if draw.sometimes(6):
            attributes["numa"] = {"int": 0}  # the full name has precedence
        attributes[key] = draw.choice(({"int": 0}, {"int": 1}, {"string": "0"}, {"bool": True}, {"version": "1.2.0"}))
    if draw.coin():
        attributes["fast"] = {"bool": draw.coin()}
    if draw.coin():
        attributes["release"] = {"version": draw.choice(("1.0.0", "1.2.3", "2.0.0-rc.1"))}
    if attributes:
        device["attributes"] = attributes
    shared = Theme.SHARES in theme and draw.coin()
    if shared:
        device["allowMultipleAllocations"] = True
    if shared or draw.coin():
        device["capacity"] = _capacity(draw, shared=shared)
    if by_device:
        device |= _placement(draw, theme, names, of_device=True)
    if pool.counter_sets and draw.randint(0, 3):
        device["consumesCounters"] = _consumption(draw, pool)
    if Theme.TAINTS in theme and draw.sometimes(2):
        device["taints"] = [_taint(draw, key) for key in draw.some(TAINTS, 1, 2)]
    if Theme.BINDING in theme and draw.sometimes(3):
        device["bindingConditions"] = ["ready"]
        device["bindingFailureConditions"] = ["broken"]
        if draw.coin():
            device["bindsToNode"] = True
    return device


def _capacity(draw: Draw, *, shared: bool) -> Wire:
    capacity: Wire = {}
    if draw.coin():
        capacity["memory"] = {"value": draw.choice(_CAPACITIES)}
    if draw.coin():
        capacity["cores"] = {"value": str(draw.randint(2, 8))}
    if not shared:
        return capacity
    # A policy for what there is: bounds and steps, or a list of values.
    if "cores" in capacity and draw.coin():
        total = int(capacity["cores"]["value"])
        capacity["cores"]["requestPolicy"] = _policy(draw, total)
    if "memory" in capacity and draw.sometimes(3):
        capacity["memory"]["requestPolicy"] = {
            "default": "512Mi",
            "validRange": {"min": "512Mi", "step": "256Mi"},
        }
    if draw.sometimes(4):
        capacity["bandwidth"] = {
            "value": "2",
            "requestPolicy": {"default": "500m", "validRange": {"min": "250m", "max": "1500m", "step": "250m"}},
        }
    return capacity


def _policy(draw: Draw, total: int) -> Wire:
    if draw.coin():
        values = sorted(draw.some(range(1, total + 1), 1, min(3, total)))
        return {"default": str(draw.choice(values)), "validValues": [str(value) for value in values]}
    policy: Wire = {"default": "1", "validRange": {"min": "1"}}
    if total >= 3 and draw.coin():
        policy["validRange"] |= {"step": "2", "max": str(total if total % 2 else total - 1)}
    return policy


def _consumption(draw: Draw, pool: _Pool) -> Sequence[Wire]:
    chosen = draw.some(pool.counter_sets, 1, len(pool.counter_sets))
    return [
        {
            "counterSet": name,
            "counters": {
                counter: {"value": str(draw.randint(1, 3))} for counter in draw.choice((_COUNTERS, _COUNTERS[:1]))
            },
        }
        for name in chosen
    ]


def _taint(draw: Draw, key: str) -> Wire:
    taint = {
        "key": key,
        "effect": draw.choice(("NoSchedule", "NoExecute", "None")),
    }
    if draw.coin():
        taint["value"] = draw.choice(("yes", "no"))
    return taint


def taint_rules(draw: Draw, theme: frozenset[Theme]) -> Sequence[Wire]:
    """None to two, where the example is about taints."""
    if Theme.TAINTS not in theme:
        return ()
    rules = []
    for number in range(draw.randint(0, 2)):
        selector: Wire = {"driver": draw.choice(DRIVERS)}
        if draw.coin():
            selector["pool"] = f"{MARK}p{draw.randint(0, 2)}"
        if draw.coin():
            selector["device"] = f"d{draw.randint(0, 4)}"
        if draw.sometimes(8):
            selector = {}
        rules.append(
            {
                "apiVersion": _API,
                "kind": "DeviceTaintRule",
                "metadata": {"name": f"{MARK}r{number}"},
                "spec": {"deviceSelector": selector, "taint": _taint(draw, draw.choice(TAINTS))},
            }
        )
    return rules
