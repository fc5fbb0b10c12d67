"""A driver of cards that takes its time: what it does to a card stands in files, and waits where a test wants it to.

``CARDS`` is the folder: a file ``card-N`` is a card that is loaded for a claim. While there is a FIFO ``hold``, prepare
and unprepare say that they have begun, in the file ``begun``, and wait until something is written to it.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from fake_dra_driver.dra import AllocatedDevice, ContainerEdits, Device, Driver, NoConfig, run_driver

__all__ = ["CardDriver"]


class CardDriver(Driver[NoConfig]):
    """Cards for pods."""

    name = "card.example.com"

    def devices(self, node: str) -> Iterable[Device]:
        return [Device(f"card-{number}") for number in range(2)]

    def prepare(self, device: AllocatedDevice[NoConfig]) -> ContainerEdits:
        card = self._folder() / device.name
        if card.exists() and card.read_text() != device.claim.uid:
            raise ValueError(f"it is loaded for {card.read_text()}")
        card.write_text(device.claim.uid)
        self._wait()
        return ContainerEdits(env={f"CARD_{device.index}": device.name})

    def unprepare(self, device: AllocatedDevice[NoConfig]) -> None:
        self._wait()
        (self._folder() / device.name).unlink(missing_ok=True)

    def _wait(self) -> None:
        hold = self._folder() / "hold"
        if hold.exists():
            (self._folder() / "begun").touch()
            hold.read_bytes()

    def _folder(self) -> Path:
        return Path(os.environ["CARDS"])


if __name__ == "__main__":
    run_driver(CardDriver())
