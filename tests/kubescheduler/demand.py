"""What generated clusters are asked for: classes, claims, and pods with them."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.kubescheduler.example import MARK, Wire
from tests.kubescheduler.supply import EXTENDED_RESOURCE, MODELS, TAINTS
from tests.kubescheduler.theme import DRIVERS, Draw, Theme

__all__ = ["CLASSES", "claims", "classes", "held_claims", "pods"]

_API = "resource.k8s.io/v1"
CLASSES = tuple(f"{MARK}c{number}" for number in range(3))
_A = DRIVERS[0]


def _attribute(name: str, driver: str = _A) -> str:
    return f'device.attributes["{driver}"].{name}'


_SOUND = (
    *(f'{_attribute("?model")}.orValue("") == "{model}"' for model in MODELS),
    f'"model" in device.attributes["{_A}"]',
    f"has({_attribute('index')}) && {_attribute('index')} < 2",
    f"{_attribute('?fast')}.orValue(false)",
    f"{_attribute('?index')}.orValue(0) % 2 == 0",
    f'{_attribute("?release")}.hasValue() && {_attribute("release")}.isGreaterThan(semver("1.1.0"))',
    f'device.capacity["{_A}"].?memory.orValue(quantity("0")).compareTo(quantity("4Gi")) >= 0',
    f'device.capacity["{_A}"].?cores.orValue(quantity("0")).isGreaterThan(quantity("3"))',
    "device.allowMultipleAllocations",
    "!device.allowMultipleAllocations",
    f'cel.bind(d, device.attributes["{_A}"], "index" in d && d.index >= 1)',
    f"[1, 2].exists(n, n == {_attribute('?index')}.orValue(0))",
    'device.attributes["nowhere.example.com"].size() == 0',
    f'device.driver == "{DRIVERS[1]}" || {_attribute("?index")}.orValue(9) <= 2',
)
"""Selectors that have an answer for every device."""
_RISKY = (
    f'{_attribute("model")} == "m1"',
    f"{_attribute('index')} < 2",
    f'{_attribute("release")}.isLessThan(semver("2.0.0"))',
    f'device.capacity["{_A}"].memory.compareTo(quantity("2Gi")) > 0',
    'device.attributes["shared.example.com"].numa == 0',
    f"{_attribute('fast')}",
    f'{_attribute("model")}.startsWith("m")',
    f'{_attribute("model")}.matches("^m[12]$")',
    f'{_attribute("model")}.lowerAscii() == "m1"',
    f"4 / {_attribute('?index')}.orValue(0) > 1",
    f"{_attribute('?model')}.orValue(1) == 1",
    f"{_attribute('?model')}.orValue(true)",
    f'{_attribute("numa")} == "0"',
)
"""Selectors that fail for a device that lacks something, or has something of another type."""

_AMOUNTS = {
    "memory": ("256Mi", "512Mi", "700Mi", "2Gi", "5Gi"),
    "cores": ("1", "2", "3", "5", "1500m"),
    "bandwidth": ("100m", "500m", "600m", "1", "1600m"),
}
"""What requests ask for of a capacity."""


def _selectors(draw: Draw, theme: frozenset[Theme]) -> Sequence[Wire]:
    wanted = draw.randint(0, 2) if Theme.SELECTORS in theme else draw.randint(0, 5) == 5
    expressions = _SOUND
    if Theme.SELECTORS in theme and draw.coin():
        expressions += _RISKY
    return [{"cel": {"expression": draw.choice(expressions)}} for _ in range(wanted)]


def classes(draw: Draw, theme: frozenset[Theme]) -> Sequence[Wire]:
    """One for each driver, and one for both. All keep to the drivers of the example."""
    bounds = (
        f'device.driver == "{DRIVERS[0]}"',
        f'device.driver == "{DRIVERS[1]}"',
        f'device.driver in ["{DRIVERS[0]}", "{DRIVERS[1]}"]',
    )
    made = []
    for name, bound in zip(CLASSES, bounds, strict=True):
        spec: Wire = {"selectors": [{"cel": {"expression": bound}}, *_selectors(draw, theme)]}
        if Theme.CONFIG in theme and draw.coin():
            spec["config"] = [_opaque(f"class {name}", draw)]
        if Theme.EXTENDED in theme and draw.coin():
            spec["extendedResourceName"] = EXTENDED_RESOURCE
        made.append({"apiVersion": _API, "kind": "DeviceClass", "metadata": {"name": name}, "spec": spec})
    return made


def _opaque(text: str, draw: Draw) -> Wire:
    return {"opaque": {"driver": draw.choice(DRIVERS), "parameters": {"text": text}}}


def _ask(draw: Draw, theme: frozenset[Theme], *, is_alternative: bool = False) -> Wire:
    """An exact request, or one of the alternatives of a prioritized list."""
    ask: Wire = {"deviceClassName": draw.choices(CLASSES, weights=(4, 1, 4))[0]}
    if draw.sometimes(150):
        ask["deviceClassName"] = f"{MARK}missing"
    if selectors := _selectors(draw, theme):
        ask["selectors"] = selectors
    if Theme.ALL in theme and draw.coin():
        ask["allocationMode"] = "All"
    elif draw.sometimes(3):
        # A claim gets 32 devices at most. With that many and fewer devices kube-scheduler tries for 10 s, and gives up.
        ask["count"] = draw.choice((1, 2, 2, 3) if draw.randint(0, 30) else (33, 33, 40))
    if Theme.ADMIN in theme and not is_alternative and draw.coin():
        ask["adminAccess"] = draw.coin()
    if Theme.TAINTS in theme and draw.coin():
        ask["tolerations"] = [_toleration(draw) for _ in range(draw.randint(1, 2))]
    if Theme.SHARES in theme and draw.coin():
        asked = draw.some(tuple(_AMOUNTS), 1, 2)
        ask["capacity"] = {"requests": {name: draw.choice(_AMOUNTS[name]) for name in asked}}
    return ask


def _toleration(draw: Draw) -> Wire:
    toleration: Wire = {"operator": draw.choice(("Exists", "Equal"))}
    if toleration["operator"] == "Equal" or draw.randint(0, 3):
        toleration["key"] = draw.choice(TAINTS)
    if toleration["operator"] == "Equal" and draw.coin():
        toleration["value"] = draw.choice(("yes", "no"))
    if draw.coin():
        toleration["effect"] = draw.choice(("NoSchedule", "NoExecute"))
    if toleration.get("effect") == "NoExecute" and draw.sometimes(3):
        toleration["tolerationSeconds"] = 300
    return toleration


def _request(draw: Draw, theme: frozenset[Theme], name: str) -> Wire:
    if Theme.ALTERNATIVES in theme and draw.coin():
        count = draw.randint(1, 3)
        alternatives = [{"name": f"alt{n}", **_ask(draw, theme, is_alternative=True)} for n in range(count)]
        return {"name": name, "firstAvailable": alternatives}
    return {"name": name, "exactly": _ask(draw, theme)}


def _references(requests: Sequence[Wire]) -> Sequence[str]:
    """By what configuration and constraints can name requests."""
    return [
        reference
        for request in requests
        for reference in (
            request["name"],
            *(f"{request['name']}/{alternative['name']}" for alternative in request.get("firstAvailable", ())),
        )
    ]


def claims(draw: Draw, theme: frozenset[Theme]) -> Sequence[Wire]:
    """One to three claims, of one to three requests each."""
    made = []
    for number in range(draw.randint(1, 3 if Theme.CLAIMS in theme else 2)):
        requests = [_request(draw, theme, f"r{n}") for n in range(draw.choice((1, 1, 1, 1, 1, 2, 2, 3)))]
        devices: Wire = {"requests": requests}
        references = _references(requests)
        if Theme.CONSTRAINTS in theme:
            devices["constraints"] = [_constraint(draw, references) for _ in range(draw.randint(0, 2))]
        if Theme.CONFIG in theme:
            devices["config"] = [
                {**_opaque(f"claim {n}", draw), "requests": draw.some(references, 0, 2)}
                for n in range(draw.randint(0, 2))
            ]
        made.append(_claim(f"{MARK}claim{number}", devices))
    return made


def _claim(name: str, devices: Wire) -> Wire:
    return {"apiVersion": _API, "kind": "ResourceClaim", "metadata": {"name": name}, "spec": {"devices": devices}}


def _constraint(draw: Draw, references: Sequence[str]) -> Wire:
    kind = draw.choice(("matchAttribute", "matchAttribute", "distinctAttribute"))
    attributes = [f"{_A}/{name}" for name in ("model", "index", "numa", "fast", "release")]
    constraint: Wire = {kind: draw.choice([*attributes, "shared.example.com/numa"])}
    if requests := draw.some(references, 0, 2):
        constraint["requests"] = requests
    return constraint


def held_claims(draw: Draw, theme: frozenset[Theme], slices: Sequence[Wire]) -> Sequence[Wire]:
    """Claims that hold devices already, each one."""
    if Theme.HELD not in theme:
        return ()
    devices = [(each["spec"], device) for each in slices for device in each["spec"].get("devices", ())]
    made = []
    for number in range(draw.randint(0, 3)):
        spec, device = draw.choice(devices)
        ask: Wire = {"deviceClassName": CLASSES[0], "allocationMode": "ExactCount", "count": 1}
        result: Wire = {
            "request": "r0",
            "driver": spec["driver"],
            "pool": spec["pool"]["name"],
            "device": device["name"],
        }
        if draw.sometimes(5):
            ask["adminAccess"] = result["adminAccess"] = True
        elif device.get("allowMultipleAllocations"):
            result["shareID"] = f"00000000-0000-4000-8000-{draw.randint(0, 2**40):012x}"
            if consumed := {name: _part(capacity) for name, capacity in device.get("capacity", {}).items()}:
                result["consumedCapacity"] = consumed
        name = f"{MARK}held{number}"
        claim = _claim(name, {"requests": [{"name": "r0", "exactly": ask}]})
        # Reserved for nothing, or a controller would find that what it is reserved for is not there.
        made.append({**claim, "status": {"allocation": {"devices": {"results": [result]}}}})
    return made


def _part(capacity: Mapping[str, Any]) -> str:
    """What a share of a device uses."""
    policy: Mapping[str, str] = capacity.get("requestPolicy", {})
    return policy.get("default") or "1"


def pods(draw: Draw, theme: frozenset[Theme], names: Sequence[str]) -> Sequence[Wire]:
    """One to three, which use claims by these names: all, or some of them, so that claims are shared."""
    made = []
    for number in range(draw.randint(1, 3)):
        # Of what no pod has used yet, unless claims are meant to be shared.
        used = draw.some(names, 1, len(names)) if Theme.CLAIMS in theme else names[number : number + 1]
        spec: Wire = {
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "nodeSelector": {f"{MARK}zone": "z0"} if draw.sometimes(12) else {},
            "affinity": _has_label(f"{MARK}zone"),
            "containers": [{"name": "c0", "image": "busybox"}],
        }
        if used:
            spec["resourceClaims"] = [{"name": f"entry{n}", "resourceClaimName": name} for n, name in enumerate(used)]
        extended = {}
        if Theme.EXTENDED in theme:
            if draw.coin():
                extended[EXTENDED_RESOURCE] = str(draw.randint(1, 2))
            if draw.sometimes(3):
                extended[f"deviceclass.resource.kubernetes.io/{draw.choice(CLASSES)}"] = "1"
        if extended:
            spec["containers"][0]["resources"] = {"limits": extended, "requests": extended}
        if Theme.ROOM in theme:
            _ask_for_room(draw, spec)
        if used or extended or Theme.ROOM in theme:
            metadata = {"name": f"{MARK}pod{number}"}
            made.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    return made


_ROOM = {
    "cpu": ("100m", "500m", "1", "1100m", "3"),
    "memory": ("64Mi", "300M", "600Mi", "4Gi"),
    "ephemeral-storage": ("100Mi", "900Mi", "3Gi"),
}
"""What containers ask for of a node."""


def _ask_for_room(draw: Draw, spec: Wire) -> None:
    """Lets some containers ask for CPU and the like: beside each other, before the others, or all along."""
    spec["containers"].append({"name": "c1", "image": "busybox"})
    spec["initContainers"] = [{"name": f"i{number}", "image": "busybox"} for number in range(draw.randint(0, 3))]
    for each in spec["initContainers"]:
        if draw.coin():
            each["restartPolicy"] = "Always"
    for each in (*spec["containers"], *spec["initContainers"]):
        requests = {name: draw.choice(_ROOM[name]) for name in draw.some(tuple(_ROOM), 0, 2)}
        limits = {"hugepages-2Mi": draw.choice(("2Mi", "6Mi"))} if draw.sometimes(6) else {}
        if limits:
            requests.setdefault("cpu", "100m")  # without CPU or memory, an API server takes no hugepages
        there = each.get("resources", {"requests": {}, "limits": {}})
        both = {
            "requests": {**there["requests"], **requests, **limits},
            "limits": {**there["limits"], **limits},
        }
        if both["requests"]:
            each["resources"] = {kind: amounts for kind, amounts in both.items() if amounts}
    if draw.sometimes(5):
        spec["resources"] = {"requests": {"cpu": draw.choice(("15", "20"))}}


def _has_label(key: str) -> Wire:
    """Keeps the pod to the example's nodes."""
    term = {"matchExpressions": [{"key": key, "operator": "Exists"}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
