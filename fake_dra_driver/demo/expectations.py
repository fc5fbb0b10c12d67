"""What the quickstart's steps must lead to. Pure: checks what was printed and read, and raises DemoError.

Expected UUIDs are computed from the node's name, as the driver computes them, so that they are right for any name.
"""

import re
from collections.abc import Mapping, Sequence

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.device.split import children
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = [
    "DemoError",
    "Logs",
    "check_allocated",
    "check_initial",
    "check_logs",
    "check_prepared",
    "check_split",
    "devices_in",
]

DEVICE_COUNT = 8
MODEL = "LATEST-FAKE-MODEL"
_VARIABLE = re.compile(r"^export FAKE_DEVICE_(\d+)=['\"](FAKE-[0-9a-f-]{36})['\"]$")
"""dash and busybox print single quotes, bash double ones."""

Logs = Mapping[tuple[str, str, str], Sequence[str]]
"""By namespace, pod and container: the devices that the container printed."""


class DemoError(RuntimeLayerError):
    """A step did not lead to what it must: the message says to what instead."""


def devices_in(log: str) -> Sequence[str]:
    """The devices in what a container printed, by the numbers of their variables. Raises DemoError for a gap."""
    found = {int(match[1]): match[2] for line in log.splitlines() if (match := _VARIABLE.match(line))}
    if sorted(found) != list(range(len(found))):
        raise DemoError(f"A container's variables FAKE_DEVICE_<number> are not numbered from 0 on: {sorted(found)}")
    return [found[number] for number in sorted(found)]


def check_initial(state: NodeAllocationState) -> None:
    """All devices are there, and no claim holds any of them."""
    expected = {device.uuid for device in make_inventory(state.metadata.name, DEVICE_COUNT, [MODEL])}
    found = {device.fake.uuid for device in state.spec.allocatable_device if device.fake}
    _expect(f"the devices of {state.metadata.name}", expected, found)
    _expect("claims with allocated devices", set(), set(state.spec.allocated_claims))
    _expect("claims with prepared devices", set(), set(state.spec.prepared_devices))


def check_logs(logs: Logs, node: str) -> None:
    """Tests 1 to 4: which containers share a device and which do not, and that together they have all of the node's."""
    counts = {where: len(devices) for where, devices in logs.items()}
    expected = {
        **{(f"test{number}", pod, "ctr0"): 1 for number, pod in ((1, "pod0"), (1, "pod1"), (3, "pod0"), (3, "pod1"))},
        ("test2", "pod0", "ctr0"): 1,
        ("test2", "pod0", "ctr1"): 1,
        ("test4", "pod0", "ctr0"): 4,
    }
    _expect("the number of devices in each container", expected, counts)
    for one, other in (
        (("test2", "pod0", "ctr0"), ("test2", "pod0", "ctr1")),
        (("test3", "pod0", "ctr0"), ("test3", "pod1", "ctr0")),
    ):
        _expect(f"what {'/'.join(one)} and {'/'.join(other)} share", logs[one], logs[other])
    _expect(
        "the devices that the containers have together",
        {device.uuid for device in make_inventory(node, DEVICE_COUNT, [MODEL])},
        {device for devices in logs.values() for device in devices},
    )


def check_prepared(state: NodeAllocationState, logs: Logs) -> None:
    """The NodeAllocationState's prepared devices are those that the containers printed."""
    prepared = _prepared(state)
    _expect("the prepared devices", {tuple(devices) for devices in logs.values()}, set(prepared.values()))
    _expect("claims with allocated devices", set(prepared), set(state.spec.allocated_claims))


def check_allocated(state: NodeAllocationState, count: int, split: int) -> None:
    """One claim has ``count`` devices, each to be split."""
    splits = [
        device.split
        for devices in state.spec.allocated_claims.values()
        for device in (devices.fake.devices if devices.fake else ())
    ]
    _expect("the splits of the allocated devices", [split] * count, splits)


def check_split(state: NodeAllocationState, logs: Logs) -> None:
    """Every prepared device is the child that its parent must have, and the container printed all of them."""
    ((claim, allocated),) = state.spec.allocated_claims.items()
    parents = allocated.fake.devices if allocated.fake else ()
    expected = [(device.uuid, child) for device in parents for child in children(device.uuid, device.split or 0)]
    prepared = state.spec.prepared_devices.get(claim)
    found = [
        (device.parent_uuid, device.uuid) for device in (prepared.fake.devices if prepared and prepared.fake else ())
    ]
    _expect("the children of the allocated devices", expected, found)
    _expect(
        "what the container printed",
        [child for _, child in expected],
        [uuid for each in logs.values() for uuid in each],
    )


def _prepared(state: NodeAllocationState) -> Mapping[str, tuple[str, ...]]:
    return {
        claim: tuple(device.uuid for device in (devices.fake.devices if devices.fake else ()))
        for claim, devices in state.spec.prepared_devices.items()
    }


def _expect(what: str, expected: object, found: object) -> None:
    if expected != found:
        raise DemoError(f"Wrong result for {what}: expected {expected}, found {found}")
