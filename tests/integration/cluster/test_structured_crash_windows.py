"""A stop before or after any write of a claim's life, by whichever program makes it, and the end is the same.

As in ``test_crash_windows``, a program is caught by an API server that does not answer its next write, before or after
it has carried it out, and is then stopped: the plugin is killed, scheduler and controller manager start again with
nothing remembered. The plugin's writes to disk have their stops in ``tests.crash``.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault
from fake_dra_driver.cluster.kinds import Pod
from tests.integration.cluster.world import CONTROLLER_MANAGER, PLUGIN, SCHEDULER, STRUCTURED, World

pytestmark = STRUCTURED

AGENT = "fake-dra-kubeletplugin"
SLICES, CLAIMS, LEDGER = "resourceslices", "resourceclaims", "nodeallocationstates"
MOMENTS = pytest.mark.parametrize("fault", [Fault.timeout(), Fault.timeout(after=True)], ids=["before", "after"])
POD = NamespacedName("test5", "pod0")


async def _pods(world: World) -> Sequence[Pod]:
    return (await world.client.list(Pod, POD.namespace)).items


async def _has_claim(world: World) -> bool:
    return bool(await world.claims(5))


async def _knows_claim(world: World) -> bool:
    return any("resourceClaimStatuses" in pod.status.to_wire() for pod in await _pods(world))


async def _has_finalizer(world: World) -> bool:
    return any(v1.CLAIM_FINALIZER in claim.metadata.finalizers for claim in await world.claims(5))


async def _is_allocated(world: World) -> bool:
    return any(claim.status.allocation for claim in await world.claims(5))


async def _is_bound(world: World) -> bool:
    return any(pod.spec.node_name for pod in await _pods(world))


async def _is_deallocated(world: World) -> bool:
    return not await _is_allocated(world)


async def _is_released(world: World) -> bool:
    return not await _has_finalizer(world)


@dataclass(frozen=True)
class Window:
    """A write of the control plane, and how it shows that it has taken place."""

    program: str
    verb: str
    resource: str
    subresource: str
    is_written: Callable[[World], Awaitable[bool]]


STARTING: Mapping[str, Window] = {
    "claim": Window(CONTROLLER_MANAGER, "create", CLAIMS, "", _has_claim),
    "its-name": Window(CONTROLLER_MANAGER, "patch", "pods", "status", _knows_claim),
    "finalizer": Window(SCHEDULER, "update", CLAIMS, "", _has_finalizer),
    "allocation": Window(SCHEDULER, "update", CLAIMS, "status", _is_allocated),
    "binding": Window(SCHEDULER, "create", "pods", "binding", _is_bound),
}
ENDING: Mapping[str, Window] = {
    "deallocation": Window(CONTROLLER_MANAGER, "update", CLAIMS, "status", _is_deallocated),
    "finalizer": Window(CONTROLLER_MANAGER, "update", CLAIMS, "", _is_released),
}


async def _stop_in(world: World, window: Window, fault: Fault, act: Callable[..., Awaitable[None]]) -> None:
    """Does something, and stops the program that makes the write of the window which that leads to."""
    with world.failing(fault, window.program, window.resource, window.subresource, verb=window.verb) as caught:
        await act(5)
        await caught.wait()
        if fault.after:
            await world.cluster.wait_until("the write has taken place", lambda: window.is_written(world))
        else:
            assert not await window.is_written(world)
        await world.cluster.faults.restart_component(window.program)


@MOMENTS
@pytest.mark.parametrize("name", STARTING)
async def test_the_control_plane_stops_while_a_pod_starts(world: World, name: str, fault: Fault) -> None:
    await _stop_in(world, STARTING[name], fault, world.apply)
    await finish(world, app_stays=True)


@MOMENTS
@pytest.mark.parametrize("name", ENDING)
async def test_the_control_plane_stops_while_a_claim_is_released(world: World, name: str, fault: Fault) -> None:
    await world.apply(5)
    await world.wait_running(5)
    await _stop_in(world, ENDING[name], fault, world.delete)
    await finish(world, app_stays=False)


@MOMENTS
async def test_the_plugin_stops_when_it_has_prepared_a_claim(world: World, fault: Fault) -> None:
    """Its writes about that, and about slices that a kubelet has deleted meanwhile, are made at the same time."""
    before = await world.offers()
    with ExitStack() as stack:
        caught = [
            stack.enter_context(world.failing(fault, AGENT, resource, subresource, verb=verb))
            for verb, resource, subresource in (
                ("patch", LEDGER, ""),
                ("patch", CLAIMS, "status"),
                ("create", SLICES, ""),
            )
        ]
        await world.apply(5)
        await world.wait_running(5)
        await world.cluster.faults.wipe_slices(world.node)
        for each in caught:
            await each.wait()
        assert len(world.cdi_files()) == 2
        await world.kill(PLUGIN)
    await finish(world, app_stays=True)
    assert await world.offers() == before


@MOMENTS
async def test_the_plugin_stops_when_it_has_unprepared_a_claim(world: World, fault: Fault) -> None:
    before = await world.offers()
    await world.apply(5)
    await world.wait_running(5)
    await world.check_agreement(5)
    with (
        world.failing(fault, AGENT, LEDGER) as told,
        world.failing(fault, AGENT, SLICES, verb="update") as corrected,
    ):
        await _edit_slice(world)
        await corrected.wait()
        await world.delete(5)
        await told.wait()
        assert len(world.cdi_files()) == 1
        await world.kill(PLUGIN)
    await finish(world, app_stays=False)
    assert await world.offers() == before


@MOMENTS
async def test_the_plugin_stops_while_it_deletes_a_slice_that_is_not_its_own(world: World, fault: Fault) -> None:
    before = await world.offers()
    with world.failing(fault, AGENT, SLICES, verb="delete") as caught:
        await world.cluster.apply(_stranger(world))
        await caught.wait()
        await world.kill(PLUGIN)
    await world.wait_ready()

    async def as_before() -> bool:
        return await world.offers() == before

    await world.cluster.wait_until("the stranger is gone", as_before)


async def _edit_slice(world: World) -> None:
    (name,) = await world.offers()
    devices: Any = (await world.offers())[name]["devices"]
    patch = {"spec": {"devices": devices[:1]}}
    await world.client.merge_patch(v1.ResourceSlice, NamespacedName("", name), patch)


def _stranger(world: World) -> Mapping[str, Any]:
    pool = {"name": world.node, "generation": 1, "resourceSliceCount": 1}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": "stranger"},
        "spec": {"driver": DRIVER_NAME, "nodeName": world.node, "pool": pool, "devices": [{"name": "x"}]},
    }


async def finish(world: World, *, app_stays: bool) -> None:
    """The end is the same as without a stop."""
    await world.wait_ready()
    if app_stays:
        await world.wait_running(5)
        await world.check_agreement(5)
        await world.delete(5)
    await world.wait_gone(5)
    await world.wait_initial()
