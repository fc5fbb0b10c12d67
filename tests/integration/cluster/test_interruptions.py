"""Whatever is killed, and whenever: the end is as if nothing had happened."""

from contextlib import ExitStack
from typing import Literal, assert_never, get_args

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.demo.expectations import check_logs
from tests.integration.cluster.world import CONTROLLER_MANAGER, PLUGIN, SCHEDULER, World

pytestmark = pytest.mark.sampled("interruptions", one_in=5)

Victim = Literal["controller", "plugin", "kubelet", "node", "control plane"]
VICTIMS = pytest.mark.parametrize("victim", get_args(Victim))


async def strike(world: World, victim: Victim) -> None:
    """The victim is gone at once, and is started again."""
    faults = world.cluster.faults
    match victim:
        case "controller" | "plugin":
            await world.kill(victim)
        case "kubelet":
            await faults.restart_kubelet(world.node)
        case "node":
            await faults.reboot_node(world.node)
            await world.end_lease()
        case "control plane":
            await faults.restart_component(SCHEDULER)
            await faults.restart_component(CONTROLLER_MANAGER)
        case _:
            assert_never(victim)


@VICTIMS
async def test_kill_in_each_phase(world: World, victim: Victim) -> None:
    async with world.undecided():
        await world.apply(1, 2, 3, 4)
        await world.until_claims("all claims wait", lambda claims: len(claims) == 5)
        await strike(world, victim)
    await world.wait_ready()

    await world.wait_running(1, 2, 3, 4)
    await strike(world, victim)
    await world.wait_ready()
    before = await world.check_agreement(1, 2, 3, 4)
    check_logs(before, world.node)

    async with world.unreleased():
        await world.delete(1, 2, 3, 4)
        await world.until_claims("all claims are being deleted", lambda claims: all(c.is_deleting for c in claims))
        await strike(world, victim)
    await world.wait_gone(1, 2, 3, 4)
    await world.wait_ready()
    await world.wait_initial()


@VICTIMS
async def test_kill_between_allocated_and_prepared(world: World, victim: Victim) -> None:
    with world.held(await world.part(PLUGIN), PLUGIN):
        await world.apply(5)
        await world.until_claims("it is allocated", lambda claims: any(c.status.allocation for c in claims), 5)
        assert not (await world.state()).spec.prepared_devices
        await strike(world, victim)
    await world.wait_ready()
    await world.wait_running(5)
    await world.check_agreement(5)


async def test_reboot_keeps_what_was_prepared(world: World) -> None:
    await world.apply(1, 5)
    await world.wait_running(1)
    before = (await world.state()).spec.allocated_claims
    await world.cluster.faults.reboot_node(world.node)
    await world.end_lease()
    await world.wait_ready()
    await world.wait_running(1)
    assert (await world.state()).spec.allocated_claims.items() >= before.items()
    assert len(world.cdi_files()) >= 1 + 2


async def test_node_is_gone_for_good(world: World) -> None:
    """Its claims do not hold anybody up once their pods are removed, though a node of that name comes back first."""
    await world.apply(1)
    await world.wait_running(1)
    await world.cluster.faults.stop_node(world.node)
    await world.end_lease()
    await world.client.delete(Node, NamespacedName("", world.node))
    for pod in (await world.client.list(Pod)).items:
        if pod.spec.node_name == world.node:
            await world.client.delete(Pod, pod.key, uid=pod.uid, grace_period_seconds=0)
    await world.delete(1)
    await world.cluster.faults.start_node(world.node)
    await world.wait_ready()
    await world.wait_gone(1)


async def test_api_server_away(world: World) -> None:
    await world.apply(1, 2)
    await world.cluster.faults.restart_apiserver(1)
    await world.apply(3, 4)
    await world.wait_running(1, 2, 3, 4)
    check_logs(await world.check_agreement(1, 2, 3, 4), world.node)
    await world.delete(1, 2, 3, 4)
    await world.cluster.faults.restart_apiserver(1)
    await world.wait_gone(1, 2, 3, 4)


async def test_api_server_that_answers_with_errors(world: World) -> None:
    writes = [("fake-dra-controller", "patch", resource) for resource in ("resourceclaims", "nodeallocationstates")]
    if world.api is not None:
        writes = [
            (SCHEDULER, "update", "resourceclaims"),
            ("fake-dra-controller", "patch", "nodeallocationstates"),
            ("fake-dra-kubeletplugin", "patch", "nodeallocationstates"),
            ("fake-dra-kubeletplugin", "patch", "resourceclaims"),
        ]
    with ExitStack() as stack:
        for fault in (Fault.answer(409), Fault.answer(429), Fault.answer(500, after=True), Fault.reset(after=True)):
            for agent, verb, resource in writes:
                stack.enter_context(world.failing(fault, agent, resource, None, verb=verb, times=2))
        await world.apply(1, 2, 3, 4)
        world.cluster.faults.drop_watches()
        world.cluster.faults.compact()
        await world.wait_running(1, 2, 3, 4)
        check_logs(await world.check_agreement(1, 2, 3, 4), world.node)
