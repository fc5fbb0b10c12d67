"""A stage for the kubelet plugin: scenes that can be played again and again, each time from the same beginning."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.cluster.kinds import Pod
from tests.crash.disk import Disk, PatientExecutor, PowerCut
from tests.crash.host import Host
from tests.crash.kubernetes import Kubernetes
from tests.crash.process import Steps, controller, supervised
from tests.crash.soundness import complaints
from tests.crash.stage import NAMESPACE, Stage
from tests.crash.story import Story, Teller

__all__ = ["SCENES", "Scene", "Theatre"]

NODE, DEVICES = "n", 2


@dataclass(frozen=True)
class Scene:
    """A story with what comes before it.

    Args:
        before: with the controller at work, before a plugin is on the node.
        story: with the plugin.
        has_controller: whether there is a controller in the story as well.
    """

    before: Story
    story: Story
    has_controller: bool = False


async def nothing(teller: Teller) -> None:
    """There is a node, and no more."""


async def two_pods_share(teller: Teller) -> None:
    """A claim of two pods, and one more of a whole device split in two."""
    stage = teller.stage
    await stage.claim("c")
    await stage.claim("d", split=2)
    await stage.pod("p", "c", "d")
    await stage.pod("q", "c")
    await teller.until("both are bound", lambda: all("nodeName" in pod["spec"] for pod in stage.all(Pod)))


async def they_end(teller: Teller) -> None:
    """They run, and end one after the other."""
    await teller.running("p", "q")
    await teller.stage.delete(Pod, "p")
    await teller.at_rest()
    await teller.stage.delete(Pod, "q")
    await teller.at_rest()


async def a_device_is_handed_over(teller: Teller) -> None:
    """Both devices go from the claim of one pod to that of the next, which waits for them."""
    stage = teller.stage
    await stage.template("t", count=2)
    await stage.pod("p", templates=("t",))
    await teller.running("p")
    await stage.pod("q", templates=("t",))
    await stage.delete(Pod, "p")
    await teller.running("q")
    await teller.at_rest()


async def the_object_is_lost(teller: Teller) -> None:
    """The node's object is deleted while a pod runs."""
    stage = teller.stage
    await stage.claim("c")
    await stage.pod("p", "c")
    await teller.running("p")
    await stage.delete(NodeAllocationState, NODE, NAMESPACE)
    await teller.at_rest()
    await stage.delete(ResourceClaim, "c")
    await stage.delete(Pod, "p")
    await teller.at_rest()


SCENES = {
    "shared_claim": Scene(two_pods_share, they_end),
    "hand_over": Scene(nothing, a_device_is_handed_over, has_controller=True),
    "lost_object": Scene(nothing, the_object_is_lost, has_controller=True),
}


class Theatre:
    """Plays a scene again and again."""

    def __init__(self, stage: Stage, scene: Scene, restore: Callable[[], None], root: Path) -> None:
        self.stage = stage
        self._scene = scene
        self._restore = restore
        self._root = root
        self._played = 0

    @classmethod
    async def open(cls, scene: Scene, root: Path) -> "Theatre":
        """Plays what comes before."""
        asyncio.get_running_loop().set_default_executor(PatientExecutor(1))
        stage = Stage()
        await stage.furnish()
        await stage.node(NODE, DEVICES)
        async with supervised(stage, controller, Steps()):
            await scene.before(Teller(stage, Kubernetes(stage), list))
        return cls(stage, scene, stage.keep(), root)

    async def play(self, steps: Steps, cut: PowerCut | None = None) -> None:
        """Plays the scene from its beginning to its end; a stop is one of the power when ``cut`` says how."""
        self._restore()
        stage, disk = self.stage, Disk(self._root / str(self._played))
        self._played += 1
        host = Host(stage, NODE, DEVICES, disk)

        def is_wrong() -> list[str]:
            return [*host.complaints(), *(complaints(stage) if self._scene.has_controller else ())]

        with disk.watched():
            async with AsyncExitStack() as stack:
                on_stop = (lambda: None) if cut is None else (lambda: host.reboot(cut))
                await stack.enter_async_context(supervised(stage, host.plugin, steps, on_stop))
                if self._scene.has_controller:
                    await stack.enter_async_context(supervised(stage, controller, Steps()))
                await self._scene.story(Teller(stage, Kubernetes(stage, {NODE: host}), is_wrong))
