"""Clusters to report on: a small one in which every state occurs, and a large one."""

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.device.split import children
from tests.support.half_states import put_entry, run
from tests.support.world import NAMESPACE, World


async def small_world() -> World:
    """Node n with 4 devices: one free, one allocated, one prepared in parts, one prepared whole for two pods."""
    world = World()
    world.node("n", devices=4)
    for name, split in (("plain", 0), ("parts", 3), ("shared", 0)):
        world.claim(name, split=split)
        world.pod(f"{name}-pod", [name], selected="n")
        await run(world)
    shared, parts = world.read_claim("shared"), world.read_claim("parts")
    consumers = [{"resource": "pods", "name": name, "uid": name} for name in ("shared-pod", "other")]
    world.api.update(ResourceClaim, "shared", "default", {"status": {"reservedFor": consumers}})
    held = world.api.read(NodeAllocationState, "n", NAMESPACE).spec.allocated_claims

    def device(uid: str) -> str:
        fakes = held[uid].fake
        assert fakes is not None
        return fakes.devices[0].uuid

    halves = [{"uuid": uuid, "parentUUID": device(parts.uid)} for uuid in children(device(parts.uid), 3)[:2]]
    prepared = {
        parts.uid: {"fake": {"devices": halves}},
        shared.uid: {"fake": {"devices": [{"uuid": device(shared.uid)}]}},
    }
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"preparedDevices": prepared}})
    return world


def crowd(nodes: int) -> World:
    """So many nodes with 8 devices; every third is full, every third in use, every 50th not ready; 30 claims wait."""
    world = World()
    for number in range(nodes):
        name = f"node-{number:03}"
        world.node(name, devices=8, status="NotReady" if number % 50 == 49 else "Ready")
        world.claim(f"held-{number:03}")
        devices = [f"{name}-{index}" for index in range((0, 3, 8)[number % 3])]
        if devices:
            put_entry(world, world.read_claim(f"held-{number:03}").uid, *devices, node=name)
    for number in range(30):
        world.claim(f"big-{number:02}", count=20, mode="Immediate")
    return world
