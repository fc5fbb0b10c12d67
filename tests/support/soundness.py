"""What must hold at the end of every test with controllers, whatever happened in it."""

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.driver.classic.handle import ClaimHandle
from tests.support.world import NAMESPACE, World


def devices_of_claims(world: World) -> dict[str, list[str]]:
    """By claim: the devices that its allocation names."""
    found = {}
    for key in world.api.objects.get("ResourceClaim", {}):
        claim = world.read_claim(key.name)
        if claim.status.allocation is not None and claim.status.allocation.resource_handles:
            handle = ClaimHandle.from_data(claim.status.allocation.resource_handles[0].data)
            found[key.name] = [device.uuid for device in handle.devices]
    return found


def assert_sound(world: World) -> None:
    """No device is in two claims, by what the claims say or by the ledger, and each allocation is on record."""
    given = [uuid for devices in devices_of_claims(world).values() for uuid in devices]
    assert len(given) == len(set(given)), f"a device was given to two claims: {devices_of_claims(world)}"
    ledger = {
        uid: [device.uuid for device in entry.fake.devices]
        for key in world.api.objects["NodeAllocationState"]
        for uid, entry in world.api.read(NodeAllocationState, key.name, NAMESPACE).spec.allocated_claims.items()
        if entry.fake is not None
    }
    recorded = [uuid for devices in ledger.values() for uuid in devices]
    assert len(recorded) == len(set(recorded)), f"a device is on record for two claims: {ledger}"
    for name, devices in devices_of_claims(world).items():
        assert ledger.get(world.read_claim(name).uid) == devices, f"{name} holds {devices}, on record is {ledger}"
