"""A driver of bulbs of several colors, and claims of structured DRA that hold some of them."""

from collections.abc import Awaitable, Iterable, Sequence
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.schema import CelRule, ServerDefault
from fake_dra_driver.dra.driver.allocated import AllocatedDevice
from fake_dra_driver.dra.driver.config import DeviceConfig
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.driver import Driver
from fake_dra_driver.dra.node.containeredits import ContainerEdits
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from tests.unit.dra.driver.lamp import NODE

DRIVER = "lamp.example.com"


class BulbConfig(DeviceConfig):
    """How a bulb shines."""

    cel_rules = (CelRule("self.color != 'black'", "there is no black light"),)

    color: Annotated[str, ServerDefault()] = "white"
    """Its color."""
    watts: int = Field(default=5, ge=1, le=60)
    """Its power."""


RED = Device("lamp-0", {"color": "red"})
PLAIN = Device("lamp-1")
"""It takes any color."""


class BulbDriver(Driver[BulbConfig]):
    """What its methods return is typed so widely that a subclass may be asynchronous."""

    name = DRIVER
    config = BulbConfig

    @override
    def devices(self, node: str) -> Iterable[Device] | Awaitable[Iterable[Device]]:
        return [RED, PLAIN]

    @override
    def prepare(self, device: AllocatedDevice[BulbConfig]) -> ContainerEdits | Awaitable[ContainerEdits]:
        return ContainerEdits(env={f"BULB_{device.index}": f"{device.name} {device.config.color}"})

    @override
    def fits(self, device: Device, config: BulbConfig) -> bool:
        return device.attributes.get("color") in (None, config.color)


class Bulbs:
    """The devices of a node, as a test has them."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self.devices = devices

    def get(self, name: str) -> Device | None:
        return next((device for device in self.devices if device.name == name), None)


def config(*requests: str, source: str = "FromClaim", kind: str = "BulbConfig", **spec: Any) -> dict[str, Any]:
    """An entry of an allocation's config."""
    parameters = {"apiVersion": f"{DRIVER}/v1alpha1", "kind": kind, "spec": spec}
    return {"source": source, "requests": list(requests), "opaque": {"driver": DRIVER, "parameters": parameters}}


def claim(*entries: dict[str, Any], **devices: str | dict[str, Any]) -> AllocatedClaim:
    """A claim that has these devices, by the request that each is for: a name, or fields of the result."""
    results = [
        {
            "request": request.replace("_", "/"),
            "driver": DRIVER,
            "pool": NODE,
            **({"device": device} if isinstance(device, str) else device),
        }
        for request, device in devices.items()
    ]
    written = [{key: entry[key] for key in ("requests", "opaque")} for entry in entries if "Claim" in entry["source"]]
    wire = {
        "spec": {"devices": {"config": written}},
        "status": {"allocation": {"devices": {"results": results, "config": list(entries)}}},
    }
    metadata = ObjectMeta(name="bulbs", namespace="home", uid=UID("11"))
    found = v1.ResourceClaim.from_wire(wire).model_copy(update={"metadata": metadata})
    return AllocatedClaim.of(found, DRIVER, NODE)
