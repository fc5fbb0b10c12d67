"""The FPGA cards of demo/drivers, watched: a card that has been given away twice is told of in the folder ``breaches``.

Cards of the family agilex are shared, LUT by LUT, as there; each of the family versal belongs to one claim at a time.
"""

from collections.abc import Iterable
from dataclasses import replace
from json import loads

from typing_extensions import override

from demo.drivers.fpga.fpga import Card, FpgaConfig, FpgaDriver
from fake_dra_driver.dra import AllocatedDevice, Capacity, ContainerEdits, Device, run_driver
from fake_dra_driver.quantity import number_of

__all__ = ["WatchedFpgaDriver"]


class WatchedFpgaDriver(FpgaDriver):
    """FPGA cards for pods of tests."""

    @override
    def devices(self, node: str) -> Iterable[Device]:
        for device in super().devices(node):
            luts = device.capacity["luts"]
            if device.attributes["family"] == "versal" and isinstance(luts, Capacity):
                yield replace(device, shared=False, capacity={"luts": luts.value})
            else:
                yield device

    @override
    def prepare(self, device: AllocatedDevice[FpgaConfig]) -> ContainerEdits:
        card = Card.model_validate_json((self.folder / f"{device.name}.json").read_text())
        if card.family == "versal":
            device = replace(device, capacity={"luts": str(card.luts)})
        edits = super().prepare(device)
        # Of two claims that load a card at the same time, the one that is later sees what the other has loaded.
        loaded = [loads(path.read_text() or "{}") for path in self._region(device).parent.iterdir()]
        if sum(number_of(each["luts"]) for each in loaded if each) > card.luts:
            breaches = self.folder / "breaches"
            breaches.mkdir(exist_ok=True)
            (breaches / f"{device.name}-{device.claim.uid}").write_text(f"{loaded}")
        return edits


if __name__ == "__main__":
    run_driver(WatchedFpgaDriver())
