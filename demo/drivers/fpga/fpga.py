#!/usr/bin/env python3
"""A DRA driver of FPGA cards, which claims share: each gets some of a card's LUTs, and its design loaded into them.

A node's cards are files in a folder, one for each: ``card0.json`` with ``{"family": "agilex", "luts": 912800}``. A card
that is plugged in or pulled out is one file more or less.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field
from typing_extensions import override

from fake_dra_driver.dra import (
    AllocatedDevice,
    Capacity,
    ContainerEdits,
    Device,
    DeviceConfig,
    Driver,
    PrepareError,
    Settings,
    run_driver,
)

FOLDER = Path("/var/lib/fpga")


class FpgaConfig(DeviceConfig):
    """What a claim wants of a card."""

    family: Literal["any", "agilex", "versal"] = "any"
    """Of the card. In structured DRA a selector can say it, so that the scheduler looks for such a card."""
    luts: int = Field(default=50_000, ge=10_000, le=4_000_000)
    """How many look-up tables. In structured DRA the claim's request says it, as a capacity."""
    design: str = Field(default="blank", pattern=r"^[a-z0-9-]{1,40}$")
    """What is loaded."""


class FpgaSettings(Settings):
    """Where the cards are."""

    cards_dir: Path = FOLDER
    """Folder of the node's cards, and of the designs that are loaded."""


class Card(BaseModel):
    """The file of a card."""

    family: Literal["agilex", "versal"]
    luts: int


class FpgaDriver(Driver[FpgaConfig]):
    """Offers the LUTs of FPGA cards to pods."""

    name = "fpga.example.com"
    settings = FpgaSettings
    chart: ClassVar[Mapping[str, Any]] = {
        "kubeletPlugin": {
            "extraVolumes": [{"name": "cards", "hostPath": {"path": str(FOLDER), "type": "DirectoryOrCreate"}}],
            "extraVolumeMounts": [{"name": "cards", "mountPath": str(FOLDER)}],
        }
    }
    folder = FOLDER

    @override
    def configure(self, settings: Settings) -> None:
        if isinstance(settings, FpgaSettings):
            self.folder = settings.cards_dir

    @override
    def devices(self, node: str) -> Iterable[Device]:
        for path in sorted(self.folder.glob("*.json")):
            card = Card.model_validate_json(path.read_text())
            luts = Capacity(card.luts, default=50_000, least=10_000, step=10_000)
            yield Device(path.stem, attributes={"family": card.family}, capacity={"luts": luts}, shared=True)

    @override
    async def watch(self, node: str, changed: Callable[[], None]) -> None:
        seen = None
        while True:
            found = await asyncio.to_thread(lambda: sorted(path.name for path in self.folder.glob("*.json")))
            if seen is not None and found != seen:
                changed()
            seen = found
            await asyncio.sleep(1)

    @override
    def fits(self, device: Device, config: FpgaConfig) -> bool:
        return config.family in ("any", device.attributes.get("family"))

    @override
    def demand(self, config: FpgaConfig) -> Mapping[str, str | int]:
        return {"luts": config.luts}

    @override
    def prepare(self, device: AllocatedDevice[FpgaConfig]) -> ContainerEdits:
        if not (self.folder / f"{device.name}.json").exists():
            raise PrepareError(f"the card {device.name} was pulled out")
        luts = device.capacity["luts"]
        self._region(device).parent.mkdir(parents=True, exist_ok=True)
        self._region(device).write_text(json.dumps({"design": device.config.design, "luts": luts}))
        card = f"FPGA_{device.index}"
        return ContainerEdits(env={card: device.name, f"{card}_LUTS": luts, f"{card}_DESIGN": device.config.design})

    @override
    def unprepare(self, device: AllocatedDevice[FpgaConfig]) -> None:
        self._region(device).unlink(missing_ok=True)

    def _region(self, device: AllocatedDevice[FpgaConfig]) -> Path:
        """Where it is written down what a claim has loaded into a card."""
        return self.folder / "regions" / device.name / f"{device.claim.uid}-{device.index}"


if __name__ == "__main__":
    run_driver(FpgaDriver())
