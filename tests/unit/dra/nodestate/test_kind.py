"""The NodeAllocationState of any driver: one kind for each name, which can be installed and read back."""

from typing import Any

from fake_dra_driver.codegen import definition
from fake_dra_driver.dra.nodestate.kind import (
    AllocatableDevice,
    ClaimedDevice,
    ClaimEntry,
    DeviceAttribute,
    NodeStateSpec,
    PreparedDeviceEntry,
    PreparedEntry,
    node_allocation_state,
)

LAMP = "lamp.example.com"


def test_each_driver_has_a_kind_of_its_own() -> None:
    kind, other = node_allocation_state(LAMP), node_allocation_state("fpga.example.com")

    assert kind is node_allocation_state(LAMP)
    assert str(kind.resource) == "nodeallocationstates.v1alpha1.nas.lamp.example.com"
    assert str(other.resource) == "nodeallocationstates.v1alpha1.nas.fpga.example.com"


def test_its_definition_can_be_written() -> None:
    definition_ = definition(node_allocation_state(LAMP))
    version: dict[str, Any] = definition_["spec"]["versions"][0]

    assert definition_["metadata"]["name"] == "nodeallocationstates.nas.lamp.example.com"
    assert [column["name"] for column in version["additionalPrinterColumns"]] == [
        *("Status", "Models", "Allocated", "Revision", "Age")
    ]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert list(spec["properties"]) == ["allocatableDevices", "devicesProblem", "allocatedClaims", "preparedDevices"]
    assert version["schema"]["openAPIV3Schema"]["properties"]["status"]["type"] == "string"


def test_an_object_is_read_as_it_was_written() -> None:
    kind = node_allocation_state(LAMP)
    lamp = AllocatableDevice(name="lamp-0", model="LED", attributes={"dimmable": DeviceAttribute(bool_value=True)})
    state = kind(
        spec=NodeStateSpec(
            allocatable_devices=(lamp,),
            allocated_claims={"uid-1": ClaimEntry(devices=(ClaimedDevice(name="lamp-0", config='{"watts":5}'),))},
            prepared_devices={"uid-1": PreparedEntry(devices=(PreparedDeviceEntry(name="lamp-0"),))},
        ),
        status="Ready",
    )

    assert state.to_wire() == {
        "apiVersion": "nas.lamp.example.com/v1alpha1",
        "kind": "NodeAllocationState",
        "spec": {
            "allocatableDevices": [{"name": "lamp-0", "model": "LED", "attributes": {"dimmable": {"bool": True}}}],
            "allocatedClaims": {"uid-1": {"devices": [{"name": "lamp-0", "config": '{"watts":5}'}]}},
            "preparedDevices": {"uid-1": {"devices": [{"name": "lamp-0"}]}},
        },
        "status": "Ready",
    }
    assert kind.from_wire(state.to_wire()) == state
