"""One of several processes that work on one checkpoint in turn, for ``test_handover``.

``python -m tests.integration.driver.turntaker FOLDER`` writes ``ready``, then reads lines: ``put UID``, ``remove UID``.
Each is worked on at once, and answered by a line with the UID when it is durable.
"""

import asyncio
import sys
from pathlib import Path

from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.files import DiskFiles
from fake_dra_driver.dra.node.folderlock import FolderLock
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel


async def _work(lock: FolderLock, checkpoint: Checkpoint[FakePreparedDevice], verb: str, uid: str) -> None:
    async with lock.hold():
        if verb == "put":
            await checkpoint.put(
                PreparedClaim(uid, "default", f"claim-{uid}", (FakePreparedDevice(f"FAKE-{uid}", "M"),))
            )
        else:
            await checkpoint.remove(uid)
    _answer(uid)


def _answer(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _main(folder: Path) -> None:
    checkpoint = Checkpoint(DiskFiles(), folder / "checkpoint.json", FakePreparedModel("worker"))
    lock = FolderLock(folder, checkpoint.refresh)
    async with lock.hold():
        await checkpoint.load()
    _answer("ready")
    async with asyncio.TaskGroup() as group:
        while line := await asyncio.to_thread(sys.stdin.readline):
            verb, uid = line.split()
            group.create_task(_work(lock, checkpoint, verb, uid))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
