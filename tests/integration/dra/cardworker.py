"""A kubelet plugin's process with a ``Driver``, without its sockets, for ``test_card_processes``.

``python -m tests.integration.dra.cardworker FOLDER`` writes ``ready``, then reads lines: ``prepare UID``, ``unprepare
UID``, each for a card of the claim's name. It is worked on at once, and answered by a line. What the author's code does
leaves a file in ``FOLDER/cards``; for a claim whose UID begins with ``slow`` it says so, and never returns.
"""

import asyncio
import sys
import threading
from pathlib import Path

from typing_extensions import override

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.driver.allocated import AllocatedDevice
from fake_dra_driver.dra.driver.calls import AuthorCalls
from fake_dra_driver.dra.driver.config import NoConfig
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.driver import Driver
from fake_dra_driver.dra.driver.node import DriverPreparedModel
from fake_dra_driver.dra.driver.prepared import DriverPreparedDevice, prepared_device
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimlock import ClaimLock
from fake_dra_driver.dra.node.containeredits import ContainerEdits
from fake_dra_driver.dra.node.events import NodeEvents
from fake_dra_driver.dra.node.files import DiskFiles
from fake_dra_driver.dra.node.folderlock import FolderLock
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.node.preparer import Preparer
from fake_dra_driver.dra.node.retry import RetryBudget
from tests.support.drivernode import Lookup
from tests.support.events import Recorder


class _Cards(Driver[NoConfig]):
    name = "card.example.com"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @override
    def devices(self, node: str) -> list[Device]:
        return []

    @override
    def prepare(self, device: AllocatedDevice[NoConfig]) -> ContainerEdits:
        (self._folder / device.name).touch()
        if device.claim.uid.startswith("slow"):
            _answer(f"preparing {device.claim.uid}")
            threading.Event().wait()
        return ContainerEdits(env={"CARD": device.name})

    @override
    def unprepare(self, device: AllocatedDevice[NoConfig]) -> None:
        (self._folder / device.name).unlink(missing_ok=True)


def _answer(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _work(preparer: Preparer[DriverPreparedDevice], verb: str, uid: str) -> None:
    claim = NodeClaim("default", f"claim-{uid}", UID(uid))
    if verb == "prepare":
        await preparer.prepare(claim, [prepared_device(f"card-{uid}", 0, NoConfig(), {}, None)], RetryBudget())
    else:
        await preparer.unprepare(claim)
    _answer(uid)


async def _main(folder: Path) -> None:
    cards = folder / "cards"
    cards.mkdir(exist_ok=True)
    model = DriverPreparedModel(AuthorCalls(_Cards(cards)), DriverNames.of(_Cards.name), lambda _name: None)
    checkpoint = Checkpoint(DiskFiles(), folder / "checkpoint.json", model)
    cdi = CdiFolder(DiskFiles(), folder / "cdi", model)
    lock = FolderLock(folder, checkpoint.refresh)
    files = NodeFiles(checkpoint, cdi, lock.hold, ClaimLock(folder).hold)
    about = ObjectReference(api_version="v1", kind="Node", name="worker", uid=UID("worker"))
    preparer = Preparer("worker", model, files, Lookup(), NodeEvents(Recorder(), about), lambda: None)
    async with lock.hold():
        await checkpoint.load()
        await cdi.write_common()
    _answer("ready")
    async with asyncio.TaskGroup() as group:
        while line := await asyncio.to_thread(sys.stdin.readline):
            verb, uid = line.split()
            group.create_task(_work(preparer, verb, uid))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
