"""How many calls of the kubelet each DeviceFault has made fail on a node, across restarts of the plugin.

The count is on disk before the call fails: a plugin that is killed in between has counted a failure that the kubelet
took for the end of the plugin, and never fails a call too many.
"""

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, Literal

from loguru import logger
from pydantic import RootModel, ValidationError

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra import DurableFile

__all__ = ["FILE_NAME", "Call", "FailureCounts"]

FILE_NAME: Final = "fault-counts.json"

Call = Literal["prepare", "unprepare"]

log = logger.bind(component="devicefaults")


class _Counts(RootModel[dict[UID, dict[Call, int]]]):
    """By UID of the fault, and call."""


class FailureCounts:
    """Counts on one node. Nothing is read or written before a call is to fail.

    Args:
        folder: of the plugin.
    """

    def __init__(self, folder: Path) -> None:
        self._file = DurableFile(folder / FILE_NAME)
        self._lock = asyncio.Lock()

    async def read(self) -> Mapping[UID, Mapping[Call, int]]:
        """The counts. A file that is damaged counts as none: all faults begin again. Raises OSError."""
        # From the file each time: the old and the new pod of a rolling update may both serve.
        data = await self._file.read()
        if data is None:
            return {}
        try:
            return _Counts.model_validate_json(data).root
        except ValidationError as error:
            log.warning("Counts of failed calls are lost, and begin again", file=str(self._file.path), error=str(error))
            return {}

    async def take(self, fault: UID, call: Call, times: int | None, known: Collection[UID]) -> bool:
        """Whether a call is to fail, which is counted then.

        Args:
            fault: the fault that is to make it fail.
            call: what is called.
            times: how many such calls it makes fail; None: all.
            known: the faults that there are. The counts of others are dropped.

        Raises:
            OSError: it cannot be counted.
        """
        async with self._lock:
            counts = {uid: dict(calls) for uid, calls in (await self.read()).items() if uid in known}
            calls = counts.setdefault(fault, {})
            count = calls.get(call, 0)
            if times is not None and count >= times:
                return False
            calls[call] = count + 1
            await self._file.write(_Counts(counts).model_dump_json().encode())
            return True
