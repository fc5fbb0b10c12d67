"""A node with cards of which parts can be had, and with devices that claims share, as a driver publishes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.resource import v1
from tests.support.structuredworld import NAMESPACE, StructuredWorld

__all__ = ["CardWorld", "held"]

SLICES = 4
"""Memory slices of a card."""
_Json = dict[str, Any]


def held(device: str, **more: object) -> _Json:
    """An entry of an allocation's results."""
    return {"request": "fakes", "driver": DRIVER_NAME, "pool": "n", "device": device, **more}


class CardWorld(StructuredWorld):
    """Node n has two cards, ``gpu-0`` and ``gpu-1``, each with four quarters and two halves; and a ``nic-0``."""

    def __init__(self, *, whole: bool = True, parent_uuids: bool = True) -> None:
        super().__init__()
        self.node("n", devices=0)
        devices = [
            *(device for card in range(2) for device in _card(card, whole=whole, parent_uuids=parent_uuids)),
            _device("nic-0", "nic", "X710", capacity={"bandwidth": {"value": "10G"}}, allowMultipleAllocations=True),
        ]
        counters = {"memory": "40Gi", **{f"memory-slice-{at}": "1" for at in range(SLICES)}}
        sets = [{"name": f"gpu-{card}-counters", "counters": _counters(counters)} for card in range(2)]
        self.publish(devices, sets)

    def publish(self, devices: Sequence[_Json], counter_sets: Sequence[_Json] = ()) -> None:
        """The plugin of the node has other devices."""
        pool = {"name": "n", "generation": 1, "resourceSliceCount": 1}
        spec: _Json = {"driver": DRIVER_NAME, "pool": pool, "nodeName": "n"}
        spec |= {"devices": list(devices), "sharedCounters": list(counter_sets)}
        self.api.apply(v1.ResourceSlice.from_wire({"metadata": {"name": "n-slice", "uid": "slice-n"}, "spec": spec}))
        inventory = [
            {"fake": {"uuid": _text(device, "uuid"), "name": _text(device, "model"), "device": device["name"]}}
            for device in devices
            if "uuid" in device["attributes"]
        ]
        self.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatableDevice": inventory}})

    def taint(self, device: str, **taint: object) -> None:
        """The device gets a taint."""
        found = self.api.read(v1.ResourceSlice, "n-slice").to_wire()
        for each in found["spec"]["devices"]:
            if each["name"] == device:
                each["taints"] = [taint]
        self.api.update(v1.ResourceSlice, "n-slice", "", {"spec": {"devices": found["spec"]["devices"]}})

    def held_by(self, claim: str, *results: Mapping[str, Any]) -> v1.ResourceClaim:
        """A claim that holds devices, for a pod of the same name."""
        made = self.claim(claim, *results)
        consumers = [{"resource": "pods", "name": f"{claim}-pod", "uid": claim}]
        self.api.update(v1.ResourceClaim, claim, "default", {"status": {"reservedFor": consumers}})
        return made


def _card(card: int, *, whole: bool, parent_uuids: bool) -> Sequence[_Json]:
    name, counter_set = f"gpu-{card}", f"gpu-{card}-counters"

    def part(kind: str, at: int, width: int, model: str) -> _Json:
        taken = {"memory": f"{width * 10}Gi", **{f"memory-slice-{at + place}": "1" for place in range(width)}}
        of_parent = {"parentUUID": {"string": f"GPU-{card}"}} if parent_uuids else {}
        device = _device(f"{name}-{kind}-{at}", "mig", model, **_consumes(counter_set, taken))
        return {**device, "attributes": {**device["attributes"], **of_parent}}

    everything = {"memory": "40Gi", **{f"memory-slice-{at}": "1" for at in range(SLICES)}}
    card_itself = {**_device(name, "gpu", "A100", **_consumes(counter_set, everything))}
    card_itself["attributes"]["uuid"] = {"string": f"GPU-{card}"}
    parts = [part("quarter", at, 1, "1g.10gb") for at in range(4)] + [part("half", at, 2, "2g.20gb") for at in (0, 2)]
    return [card_itself, *parts] if whole else parts


def _device(name: str, type_: str, model: str, **fields: Any) -> _Json:
    attributes = {"type": {"string": type_}, "model": {"string": model}, "uuid": {"string": f"uuid-of-{name}"}}
    return {"name": name, "attributes": attributes, **fields}


def _consumes(counter_set: str, counters: Mapping[str, str]) -> _Json:
    return {"consumesCounters": [{"counterSet": counter_set, "counters": _counters(counters)}]}


def _counters(values: Mapping[str, str]) -> _Json:
    return {name: {"value": value} for name, value in values.items()}


def _text(device: _Json, name: str) -> str:
    return str(device["attributes"][name]["string"])
